"""What samples say of the measured steps: statistics, energy, and when a device was held back.

A value counts for a step if it was taken inside it. NVML's utilisation looks back over 1/6 to 1 s, so in
short phases it also speaks of what ran before. Where a run has no steps, all samples count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.spans import Spans, union
from perfkit.base.errors import NotObservable
from perfkit.model.events import Ints, Mask
from perfkit.model.run import Instrument, Step
from perfkit.model.samples import Floats, Samples

MEASURED: tuple[Instrument, ...] = ("bare", "light")
PHASES: tuple[tuple[str, tuple[Instrument, ...]], ...] = (
    ("bare steps", ("bare",)),
    ("light steps", ("light",)),
    ("deep steps", ("deep",)),
)
POWER_CAP, HARDWARE, THERMAL = 0x4, 0x8 | 0x80, 0x20 | 0x40
REASONS = {
    0x1: "idle",
    0x2: "clocks set by the user",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "too hot (driver)",
    0x40: "too hot (hardware)",
    0x80: "power brake",
    0x100: "display clocks",
    0x200: "board limit",
    0x400: "reliability voltage",
}
"""Bits of NVML's clock event reasons, once called throttle reasons (nvml.h)."""
_IDLE = 0x1
_DROP = 0.9
_HALF = 0.5
_ENOUGH_NS = 200_000_000


@dataclass(frozen=True)
class Summary:
    """One quantity of one subject in one phase; `low` to `high` are None where `why` says why."""

    subject: str
    phase: str
    quantity: str
    unit: str
    samples: int
    low: float | None
    mean: float | None
    high: float | None
    why: str | None = None


@dataclass(frozen=True)
class Energy:
    """Energy of one device over the steps of one instrument, in joules.

    Attributes:
        per_step: None where `method` says why not.
        method: how it was found, for people.
    """

    subject: str
    phase: str
    steps: int
    total: float | None
    per_step: float | None
    method: str


@dataclass(frozen=True)
class HeldBack:
    """Samples at which a device was held back for one kind of reason.

    Attributes:
        looked: samples that were looked at; flagged: those of them that were held back.
        spans: when, on the monotonic clock: from the first flagged sample to the one after the last.
        clock: mean SM clock while held back; free: without, or the highest there is; Hz, None unknown.
        reasons: in words.
    """

    subject: str
    looked: int
    flagged: int
    spans: Spans
    clock: float | None
    free: float | None
    reasons: tuple[str, ...]

    @property
    def share(self) -> float:
        return self.flagged / self.looked


def devices(samples: Sequence[Samples]) -> tuple[Samples, ...]:
    """Those of devices, in their order."""
    return tuple(each for each in samples if each.subject.startswith("device "))


def host(samples: Sequence[Samples]) -> Samples | None:
    """That of the host."""
    return next((each for each in samples if each.subject == "host"), None)


def values(samples: Samples, quantity: str) -> Floats:
    """One quantity over time; all NaN where the subject has none."""
    series = samples.series.get(quantity)
    return np.full(len(samples), np.nan) if series is None else series.values


def sampler_share(samples: Sequence[Samples]) -> float | None:
    """CPU time of the sampler as a share of one core, its start included; None where not known."""
    spent = [each.cost_ns for each in samples if each.cost_ns is not None]
    longest = max((int(e.time[-1]) - int(e.time[0]) for e in samples if len(e) > 1), default=0)
    return sum(spent) / longest if spent and longest else None


def inside(time: Ints, steps: Sequence[Step], instruments: Sequence[Instrument]) -> Mask:
    """Which moments lie in steps of these instruments; all where there are no steps."""
    if not steps:
        return np.ones(len(time), np.bool_)
    chosen = [step for step in steps if step.instrument in instruments]
    return _spans(chosen).contains(time)


def summaries(samples: Samples, steps: Sequence[Step]) -> tuple[Summary, ...]:
    """Every quantity in every phase that has samples of it, then what could not be had."""
    found = list(_phase(samples, "whole", np.ones(len(samples), np.bool_)))
    for phase, instruments in PHASES if steps else ():
        found += _phase(samples, phase, inside(samples.time, steps, instruments))
    missing = (
        Summary(samples.subject, "whole", gap.what, "", 0, None, None, None, gap.why)
        for gap in samples.unavailable
    )
    return (*found, *missing)


def energy(samples: Samples, steps: Sequence[Step]) -> tuple[Energy, ...]:
    """Energy per step by instrument; none where no step or no sample is."""
    if not len(samples):
        return ()
    cases = ((phase, [s for s in steps if s.instrument in own]) for phase, own in PHASES)
    return tuple(_energy(samples, phase, chosen) for phase, chosen in cases if chosen)


def held_back(samples: Samples, steps: Sequence[Step], bits: int) -> HeldBack:
    """When any of these throttle bits was set during bare and light steps.

    Raises:
        NotObservable: NVML told no reasons, or no sample fell into a step.
    """
    flags = values(samples, "throttle")
    counts = inside(samples.time, steps, MEASURED)
    looked = counts & ~np.isnan(flags)
    if not looked.any():
        raise NotObservable(_why_not(samples, counts))
    whole = np.where(np.isnan(flags), 0, flags).astype(np.int64)
    flagged = looked & ((whole & bits) != 0)
    clock = values(samples, "sm_clock")
    said = int(np.bitwise_or.reduce(whole[flagged] & bits)) if flagged.any() else 0
    return HeldBack(
        subject=samples.subject,
        looked=int(looked.sum()),
        flagged=int(flagged.sum()),
        spans=_when(samples.time, flagged),
        clock=_mean(clock[flagged]),
        free=_free_clock(samples, clock, looked & ~flagged),
        reasons=decoded(said),
    )


def low_clocks(samples: Samples, steps: Sequence[Step]) -> HeldBack:
    """When the SM clock was below 90 % of the highest the device has, for none of the other reasons.

    Looked at are samples in bare and light steps at which the device was neither idle nor held back by
    heat, hardware or power, and at least half busy.

    Raises:
        NotObservable: a clock is not known, or there is no such sample.
    """
    clock, flags = values(samples, "sm_clock"), values(samples, "throttle")
    highest = _mean(values(samples, "sm_clock_limit"))
    if highest is None or np.isnan(clock).all() or np.isnan(flags).all():
        raise NotObservable(f"{samples.subject}: NVML does not tell clocks and why they are so")
    whole = np.where(np.isnan(flags), 0, flags).astype(np.int64)
    free = (whole & (_IDLE | POWER_CAP | HARDWARE | THERMAL)) == 0
    works = values(samples, "sm_utilisation") >= _HALF
    counts = inside(samples.time, steps, MEASURED) & ~np.isnan(clock) & ~np.isnan(flags)
    looked = counts & free & works
    if not looked.any():
        raise NotObservable(
            f"{samples.subject}: no sample at which it worked and was not held back"
        )
    low = looked & (clock < _DROP * highest)
    said = int(np.bitwise_or.reduce(whole[low])) if low.any() else 0
    return HeldBack(
        subject=samples.subject,
        looked=int(looked.sum()),
        flagged=int(low.sum()),
        spans=_when(samples.time, low),
        clock=_mean(clock[low]),
        free=highest,
        reasons=decoded(said),
    )


def decoded(flags: int) -> tuple[str, ...]:
    """The reasons in words; unknown bits as numbers."""
    known = tuple(text for bit, text in REASONS.items() if flags & bit)
    rest = flags & ~sum(REASONS)
    return (*known, f"unknown ({rest:#x})") if rest else known


def _phase(samples: Samples, phase: str, counts: Mask) -> Iterator[Summary]:
    for name, series in samples.series.items():
        had = series.values[counts & ~np.isnan(series.values)]
        if not len(had):
            continue
        if series.unit == "flags":
            yield from _flags(samples.subject, phase, name, had.astype(np.int64))
            continue
        low, mean, high = float(had.min()), float(had.mean()), float(had.max())
        yield Summary(samples.subject, phase, name, series.unit, len(had), low, mean, high)


def _flags(subject: str, phase: str, name: str, flags: Ints) -> Iterator[Summary]:
    """One row per bit that was ever set: the share of samples with it."""
    for bit, text in REASONS.items():
        share = float(((flags & bit) != 0).mean())
        if share:
            yield Summary(subject, phase, f"{name}: {text}", "ratio", len(flags), None, share, None)


def _energy(samples: Samples, phase: str, steps: Sequence[Step]) -> Energy:
    def unknown(why: str) -> Energy:
        return Energy(samples.subject, phase, len(steps), None, None, why)

    blocks = _blocks(steps)
    took = sum(high - low for low, high in blocks)
    if took < _ENOUGH_NS:
        return unknown(f"the steps took {took / 1e6:.0f} ms, too short for the counter")
    counter, power = values(samples, "energy"), values(samples, "power")
    if (~np.isnan(counter)).sum() > 1:
        known = ~np.isnan(counter)
        at, total = samples.time[known], counter[known]
        method = "energy counter"
    elif (~np.isnan(power)).sum() > 1:
        known = ~np.isnan(power)
        at, watts = samples.time[known], power[known]
        total = np.r_[0, np.cumsum((watts[1:] + watts[:-1]) / 2 * np.diff(at) / 1e9)]
        method = "power over time"
    else:
        return unknown("the device tells neither energy nor power")
    if blocks[0][0] < at[0] - _ENOUGH_NS or blocks[-1][1] > at[-1] + _ENOUGH_NS:
        return unknown("samples do not cover the steps")
    joules = sum(float(np.diff(np.interp(block, at, total))[0]) for block in blocks)
    return Energy(samples.subject, phase, len(steps), joules, joules / len(steps), method)


def _blocks(steps: Sequence[Step]) -> list[tuple[int, int]]:
    """Runs of neighbouring steps as one stretch each."""
    blocks: list[tuple[int, int]] = []
    last = None
    for step in steps:
        if last is not None and step.index == last + 1:
            blocks[-1] = (blocks[-1][0], step.end_ns)
        else:
            blocks.append((step.start_ns, step.end_ns))
        last = step.index
    return blocks


def _spans(steps: Sequence[Step]) -> Spans:
    edges = np.array([(s.start_ns, s.end_ns) for s in steps], np.int64).reshape(-1, 2)
    return union(edges[:, 0], edges[:, 1])


def _when(time: Ints, flagged: Mask) -> Spans:
    """From each flagged sample to the next sample."""
    later = np.r_[time[1:], time[-1:] + 1]
    return union(time[flagged], later[flagged])


def _free_clock(samples: Samples, clock: Floats, free: Mask) -> float | None:
    """The clock when nothing held it back; else the highest the device has."""
    known = clock[free & ~np.isnan(clock)]
    if len(known) >= 3:
        return float(np.median(known))
    return _mean(values(samples, "sm_clock_limit"))


def _mean(some: Floats) -> float | None:
    known = some[~np.isnan(some)]
    return float(known.mean()) if len(known) else None


def _why_not(samples: Samples, counts: Mask) -> str:
    gaps = {gap.what: gap.why for gap in samples.unavailable}
    if "throttle reasons" in gaps:
        return f"{samples.subject}: no throttle reasons ({gaps['throttle reasons']})"
    if not counts.any():
        return f"{samples.subject}: no sample fell into a bare or light step"
    return f"{samples.subject}: no throttle reasons were sampled"
