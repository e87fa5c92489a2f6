"""How long a step takes, by instrument, and whether that number can be trusted.

Instruments distort, so they never share a statistic: a duration comes from bare steps where there
are any, then from light ones, then from deep ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median, quantiles

from perfkit.base.errors import NotObservable
from perfkit.model.run import Instrument, Run
from perfkit.model.table import Column, Table

ORDER: tuple[Instrument, ...] = ("warm-up", "bare", "light", "deep", "after")
_TRUSTED: tuple[Instrument, ...] = ("bare", "light", "deep")
# Below this change between the first and the last third, a run of steps counts as steady.
_DRIFT = 0.10
_NOISY = 0.25
_ENOUGH_FOR_TREND = 6
_ENOUGH_FOR_SPREAD = 4


@dataclass(frozen=True)
class StepTimes:
    """Durations of the steps of one instrument.

    Attributes:
        spread: (q3 - q1) / median; None below two steps.
        trend: median of the last third over median of the first; None below six steps.
    """

    instrument: Instrument
    count: int
    median_ns: int
    q1_ns: int
    q3_ns: int
    spread: float | None
    trend: float | None

    @property
    def warning(self) -> str | None:
        """Why the median is not the whole truth, for people; None where it is."""
        if self.instrument not in _TRUSTED:
            return None
        if self.trend is not None and abs(self.trend - 1) > _DRIFT:
            way = "faster" if self.trend < 1 else "slower"
            return f"still getting {way}: the last third takes {self.trend:.2f}x of the first"
        if self.spread is not None and self.count >= _ENOUGH_FOR_SPREAD and self.spread > _NOISY:
            return (
                f"noisy: the middle half of the steps spreads over {self.spread:.0%} of the median"
            )
        return None


def step_times(run: Run) -> tuple[StepTimes, ...]:
    """One entry per instrument that measured at least one step, in the order of capture."""
    measured = ((name, [s.duration_ns for s in run.steps_measured(name)]) for name in ORDER)
    return tuple(_statistics(name, durations) for name, durations in measured if durations)


def typical_step(run: Run) -> StepTimes:
    """The least distorted measurement there is: bare, else light, else deep.

    Raises:
        NotObservable: no step was measured.
    """
    by_instrument = {times.instrument: times for times in step_times(run)}
    for instrument in _TRUSTED:
        if instrument in by_instrument:
            return by_instrument[instrument]
    raise NotObservable("no complete step was measured")


def step_times_table(run: Run) -> Table:
    """`step_times` as a table."""
    columns = (
        Column("instrument"),
        Column("count"),
        Column("median_ns", "ns"),
        Column("q1_ns", "ns"),
        Column("q3_ns", "ns"),
        Column("spread", "ratio"),
        Column("trend", "ratio"),
        Column("warning"),
    )
    rows = tuple(
        (t.instrument, t.count, t.median_ns, t.q1_ns, t.q3_ns, t.spread, t.trend, t.warning)
        for t in step_times(run)
    )
    return Table(columns, rows)


def steps_table(run: Run) -> Table:
    """Every step on its own, in order: what the step-time chart draws."""
    columns = (Column("index"), Column("instrument"), Column("duration_ns", "ns"))
    return Table(columns, tuple((s.index, s.instrument, s.duration_ns) for s in run.steps))


def basis(run: Run) -> str:
    """What was measured, in one line: `5 bare, 3 light and 2 deep steps`."""
    counts = [f"{t.count} {t.instrument}" for t in step_times(run) if t.instrument in _TRUSTED]
    if not counts:
        return "no complete step"
    last = counts.pop()
    noun = "step" if last.startswith("1 ") and not counts else "steps"
    return f"{', '.join(counts)} and {last} {noun}" if counts else f"{last} {noun}"


def _statistics(instrument: Instrument, durations: list[int]) -> StepTimes:
    middle = round(median(durations))
    several = len(durations) > 1
    q1, _, q3 = quantiles(durations, n=4, method="inclusive") if several else (middle,) * 3
    trend = None
    if len(durations) >= _ENOUGH_FOR_TREND:
        third = len(durations) // 3
        first = median(durations[:third])
        trend = median(durations[-third:]) / first if first else None
    spread = (q3 - q1) / middle if several and middle else None
    return StepTimes(instrument, len(durations), middle, round(q1), round(q3), spread, trend)
