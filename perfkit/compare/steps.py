"""Whether steps take longer in one run than in another, or that one cannot tell.

The steps of two runs do not pair, so all n * m ratios after/before are formed. Their median estimates
by what factor step times changed (Hodges and Lehmann, 1963), and the k-th smallest and k-th largest of
them enclose that factor with the probability that Mann and Whitney's U lies between k and n * m - k,
which holds whatever the noise's distribution: exactly for small samples, by the normal approximation for
large ones. It assumes that steps are independent and that all change by one factor.

Neither is quite so: clocks, caches and neighbours move the level of a whole stretch of steps. `wander` is
by how much the medians of a run's thirds differ, and what moves within a run can move between two as
well. So "faster" or "slower" is said when the 99 % interval excludes 1 and the factor differs from 1 by
more than both runs wander, and by more than `LEAST`. Where all cores were busy with other work, what the
program had of them is read from the samples, and by how much that differs counts as wandering too.

Does not know: what is the same in every step of a run and different in the next. Measure again, in the
other order, before believing a small difference.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from perfkit.model.diagnosis import Diagnosis

Judgement = Literal["faster", "slower", "same", "unknown"]

CONFIDENCE = 0.99
LEAST = 0.03
INSTRUMENTS = ("bare", "light", "deep")
"""What distorts least first; times of different instruments are never compared."""
_MOST = 300
_BUSY = 0.9
_OTHERS = 0.1
_EXACT = 400


@dataclass(frozen=True)
class Sample:
    """The steps of one run that one instrument measured.

    Attributes:
        warning: why they may mislead.
        starved_cores: how many cores the program had while other work kept all of them busy; None
            where there was no such work, or nobody looked.
    """

    instrument: str
    median_ns: int
    durations_ns: tuple[int, ...]
    count: int
    warning: str | None = None
    starved_cores: float | None = None


@dataclass(frozen=True)
class StepChange:
    """How the step time changed.

    Attributes:
        before, after: None where a run has no such steps.
        judgement: what can be said; `reason` is why where that is "unknown", else empty.
        ratio: after over before; low and high its interval, None where there are too few steps.
        wander: the factor by which the level of both runs moved within them, and by which the cores
            differ that other work left them; 1 where neither is so.
    """

    before: Sample | None
    after: Sample | None
    judgement: Judgement = "unknown"
    reason: str = ""
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    wander: float = 1.0

    @property
    def saved_ns(self) -> int | None:
        """What a step takes less than before, negative where more; None unknown."""
        if self.before is None or self.after is None:
            return None
        return self.before.median_ns - self.after.median_ns


def step_change(before: Diagnosis, after: Diagnosis) -> StepChange:
    """The change of the step time, read from the least distorted steps that both runs have."""
    found = samples(before), samples(after)
    common = [name for name in INSTRUMENTS if all(name in each for each in found)]
    if not common:
        first, second = (next(iter(each.values()), None) for each in found)
        return StepChange(first, second, reason=_no_steps(first, second))
    return judged(found[0][common[0]], found[1][common[0]])


def judged(before: Sample, after: Sample) -> StepChange:
    """The judgement on two samples of one instrument."""
    pair = (_thinned(before.durations_ns), _thinned(after.durations_ns))
    if not all(pair):
        reason = "the single steps were not recorded, only their median"
        ratio = after.median_ns / before.median_ns if before.median_ns else None
        return StepChange(before, after, reason=reason, ratio=ratio)
    ratios = sorted(second / first for first in pair[0] for second in pair[1])
    middle = statistics.median(ratios)
    rank = interval_rank(len(pair[0]), len(pair[1]))
    if rank == 0:
        reason = (
            f"{len(pair[0])} and {len(pair[1])} steps are too few for {CONFIDENCE:.0%} confidence; "
            "5 of each are enough"
        )
        return StepChange(before, after, reason=reason, ratio=middle)
    low, high = ratios[rank - 1], ratios[-rank]
    moved = wander(pair[0]) * wander(pair[1]) * _starved(before, after)
    told: Judgement = "same"
    if abs(math.log(middle)) > math.log(max(moved, 1 + LEAST)):
        told = "faster" if high < 1 else "slower" if low > 1 else "same"
    return StepChange(before, after, told, "", middle, low, high, moved)


def samples(diagnosis: Diagnosis) -> dict[str, Sample]:
    """The measured steps by instrument, what distorts least first."""
    summary = diagnosis.tables.get("step_times")
    single = diagnosis.tables.get("steps")
    rows = {row["instrument"]: row for row in summary.records()} if summary else {}
    found = {}
    for name in INSTRUMENTS:
        steps = single.records() if single else []
        of = [row["duration_ns"] for row in steps if row["instrument"] == name]
        durations = tuple(d for d in of if isinstance(d, int) and d > 0)
        row = rows.get(name)
        if row is None and not durations:
            continue
        found[name] = _sample(name, durations, row or {}, starved_cores(diagnosis, name))
    return found


def starved_cores(diagnosis: Diagnosis, instrument: str) -> float | None:
    """What the program had of cores that other work kept busy during these steps."""
    table = diagnosis.tables.get("host_samples")
    rows = table.records() if table else []
    means = {
        row["quantity"]: float(row["mean"])
        for phase in ("whole", f"{instrument} steps")
        for row in rows
        if row["phase"] == phase and isinstance(row["mean"], (int, float))
    }
    cores = diagnosis.facts.get("cores", "")
    if "process_cpu" not in means or "cpu_busy" not in means or not cores.isdecimal():
        return None
    mine = means["process_cpu"] + means.get("workers_cpu", 0.0)
    others = means["cpu_busy"] * int(cores) - mine
    contended = means["cpu_busy"] >= _BUSY and others >= _OTHERS * int(cores)
    return mine if contended and mine > 0 else None


def wander(durations: Sequence[int]) -> float:
    """The slowest third's median over the fastest one's; 1 below six steps, where thirds say nothing."""
    third = len(durations) // 3
    if third < 2:
        return 1.0
    parts = (durations[:third], durations[third:-third], durations[-third:])
    medians = [statistics.median(part) for part in parts]
    return max(medians) / min(medians)


def interval_rank(n: int, m: int, confidence: float = CONFIDENCE) -> int:
    """k, where the k-th smallest and largest ratio enclose the factor; 0 where too few steps do."""
    tail = (1 - confidence) / 2
    if n * m > _EXACT:
        spread = math.sqrt(n * m * (n + m + 1) / 12)
        return max(0, math.floor(n * m / 2 + statistics.NormalDist().inv_cdf(tail) * spread))
    counts = _u_counts(n, m)
    total, below = sum(counts), 0
    for k, count in enumerate(counts):
        below += count
        if below > tail * total:
            return k
    return 0


def _u_counts(n: int, m: int) -> list[int]:
    """In how many orders of n and m values U is 0, 1, ...: coefficients of the Gaussian binomial."""
    counts = [1] + [0] * (n * m)
    for i in range(1, min(n, m) + 1):
        over, under = max(n, m) + i, i
        for u in range(n * m, over - 1, -1):
            counts[u] -= counts[u - over]
        for u in range(under, n * m + 1):
            counts[u] += counts[u - under]
    return counts


def _starved(before: Sample, after: Sample) -> float:
    """By what factor the cores differ that both had; 1 where no run had to share them."""
    had = [each.starved_cores for each in (before, after)]
    shares = [min(1.0, cores) if cores is not None else 1.0 for cores in had]
    return max(shares) / min(shares)


def _thinned(durations: Sequence[int]) -> list[int]:
    """At most some hundred steps, evenly over the run."""
    if len(durations) <= _MOST:
        return list(durations)
    return [durations[round(i * (len(durations) - 1) / (_MOST - 1))] for i in range(_MOST)]


def _sample(
    name: str, durations: tuple[int, ...], row: Mapping[str, object], starved: float | None
) -> Sample:
    median, count, warning = row.get("median_ns"), row.get("count"), row.get("warning")
    told = [str(warning)] if warning else []
    if starved is not None:
        told.append(f"other work kept all cores busy: the program had {starved:.2g} of them")
    return Sample(
        name,
        median if isinstance(median, int) else round(statistics.median(durations or (0,))),
        durations,
        count if isinstance(count, int) else len(durations),
        "; ".join(told) or None,
        starved,
    )


def _no_steps(before: Sample | None, after: Sample | None) -> str:
    missing = [name for name, one in (("before", before), ("after", after)) if one is None]
    if missing:
        return f"no complete step was measured {' and '.join(missing)}"
    assert before is not None and after is not None
    return (
        f"before has {before.instrument} steps and after {after.instrument} ones, "
        "and instruments distort"
    )
