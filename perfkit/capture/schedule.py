"""Which instrument measures the next step. A pure state machine: it sees durations, never torch.

    warm-up -> bare -> deep -> light -> bare -> deep -> bare ... -> after

The first round is short, so that a program of six steps still gets something of everything; what
follows makes the numbers steadier. Warm-up and bare are both "only a clock", therefore the step
that proves the program steady already counts as the first bare one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from statistics import median

from perfkit.model.run import Gap, Instrument, Step

_STAGES: tuple[Instrument, ...] = ("warm-up", "bare", "deep", "light", "bare", "deep", "bare")
_WARM_UP, _BARE, _DEEP, _LIGHT, _MORE_BARE, _MORE_DEEP, _LAST_BARE = range(7)
_MIN_WARMUP = 2
_MAX_WARMUP = 12
_STILL_FALLING = 0.9  # a step shorter than this times the shortest so far: not steady yet
_MIN_BARE = 6
_MAX_BARE = 50
_BARE_NS = 8_000_000_000
_BARE_TO_COMPARE = 3
_OWN_TO_COMPARE = 2  # a single step of a program with uneven steps says nothing
_TOGETHER = 16
_WARMUP_TOGETHER = 5
_KNOWN = 0.03  # half width of the median's interval, relative


@dataclass(frozen=True)
class Limits:
    """What the user asked for.

    Attributes:
        steps: measured steps in all, at least 3; None lets the schedule decide.
        warmup: exact number of warm-up steps; None waits until durations stop falling.
        max_ns: stop measuring this long after the first step began; None never.
        max_bytes: size of the trace on disk that must not be exceeded.
    """

    steps: int | None = None
    warmup: int | None = None
    max_ns: int | None = None
    max_bytes: int = 256 * 2**20

    def light(self) -> int:
        return 3 if self.steps is None else max(1, min(3, self.steps // 3))

    def deep(self) -> int:
        return 3 if self.steps is None else max(1, min(3, self.steps // 3))

    def in_lockstep(self) -> Limits:
        """Counted, never timed: ranks that wait for each other change instruments in the same step."""
        return replace(
            self,
            steps=_TOGETHER if self.steps is None else self.steps,
            warmup=_WARMUP_TOGETHER if self.warmup is None else self.warmup,
        )


class Schedule:
    """Says how to measure each step: ask `current` when one begins, call `step_ended` when it ends.

    Attributes:
        current: instrument of the running step.
        light_steps: how many light steps to take; a capture lowers it when traces grow large.
        lead_in: steps at the start of each deep stage that only prepare it, and count as warm-up.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.light_steps = self.limits.light()
        self.lead_in = 0
        self.current: Instrument = "warm-up"
        self.restart()

    def restart(self) -> None:
        """Begin again at warm-up: what counts as a step has changed."""
        self.current = "warm-up"
        self._durations: dict[Instrument, list[int]] = {}
        self._stage = 0
        self._in_stage = 0
        self._led_in = 0
        self._stage_ns = 0
        if self.limits.warmup == 0:
            self._enter(_BARE)

    def step_ended(self, duration_ns: int, elapsed_ns: int) -> Instrument:
        """Take in the step that ended; return how it counts and move `current` on.

        Args:
            duration_ns: of this step.
            elapsed_ns: since the first step began, our own work between steps included.
        """
        label = self.current
        if label == "after":
            return label
        if label == "warm-up" and self.limits.warmup is None and self._is_steady(duration_ns):
            label = "bare"
        if label == "deep" and self._led_in < self.lead_in:
            self._led_in += 1
            return "warm-up"
        self._durations.setdefault(label, []).append(duration_ns)
        self._in_stage += 1
        self._stage_ns += duration_ns
        if self.limits.max_ns is not None and elapsed_ns >= self.limits.max_ns:
            self.current = "after"
        elif self._stage == _WARM_UP and label == "bare":
            self._enter(_DEEP)
        elif self._stage_is_over():
            self._enter(self._stage + 1)
        return label

    def taken(self, instrument: Instrument) -> int:
        """How many steps were measured this way."""
        return len(self._durations.get(instrument, ()))

    def _enter(self, stage: int) -> None:
        self._stage, self._in_stage, self._stage_ns, self._led_in = stage, 0, 0, 0
        while 0 < self._stage < len(_STAGES) and self._wanted() <= 0:
            self._stage += 1
        self.current = _STAGES[self._stage] if self._stage < len(_STAGES) else "after"

    def _wanted(self) -> int:
        """Steps this stage still takes at most."""
        limits = self.limits
        if self._stage == _LIGHT:
            return self.light_steps
        if self._stage == _MORE_DEEP:
            return limits.deep() - 1
        if self._stage not in (_MORE_BARE, _LAST_BARE):
            return 1
        most = _MAX_BARE
        if limits.steps is not None:
            most = limits.steps - limits.light() - limits.deep()
        elif self._stage == _MORE_BARE or self._is_known():
            most = _MIN_BARE
        return most - self.taken("bare") + self._in_stage

    def _stage_is_over(self) -> bool:
        if self._stage == _WARM_UP:
            most = _MAX_WARMUP if self.limits.warmup is None else self.limits.warmup
            return self._in_stage >= most
        if self._in_stage >= self._wanted():
            return True
        if self.current != "bare" or self.limits.steps is not None or self._in_stage < 2:
            return False
        return self._is_known() or self._stage_ns >= _BARE_NS

    def _is_known(self) -> bool:
        bare = self._durations.get("bare", [])
        return len(bare) >= _MIN_BARE and median_error(bare) <= _KNOWN

    def _is_steady(self, duration_ns: int) -> bool:
        earlier = self._durations.get("warm-up", [])
        return len(earlier) >= _MIN_WARMUP and duration_ns >= _STILL_FALLING * min(earlier)


def median_error(values: list[int]) -> float:
    """Half width of the median's 95 % interval, relative to the median (order statistics)."""
    ordered = sorted(values)
    n = len(ordered)
    reach = 0.98 * sqrt(n)
    low = ordered[max(0, int(n / 2 - reach))]
    high = ordered[min(n - 1, int(n / 2 + reach))]
    return (high - low) / 2 / max(1, median(ordered))


def missing(steps: tuple[Step, ...]) -> tuple[Gap, ...]:
    """One gap per instrument that measured no step."""
    if not steps:
        return ()
    needs: dict[Instrument, str] = {
        "bare": "step times without instruments",
        "light": "the operator trace",
        "deep": "the synchronisation points",
    }
    present = {step.instrument for step in steps}
    gaps = [
        Gap(what, f"the program ended (or the limit was reached) after {len(steps)} steps")
        for instrument, what in needs.items()
        if instrument not in present
    ]
    bare = sum(step.instrument == "bare" for step in steps)
    if 0 < bare < _BARE_TO_COMPARE:
        gaps.append(Gap("our own overhead", f"steps timed without instruments: {bare}"))
    return tuple(gaps)


def overhead(steps: tuple[Step, ...]) -> dict[str, float | None]:
    """Median light and deep steps as ratios to the median bare one.

    None where one is missing, or too few bare steps were timed to compare with.
    """
    durations: dict[Instrument, list[int]] = {}
    for step in steps:
        durations.setdefault(step.instrument, []).append(step.duration_ns)
    bare = durations.get("bare", [])
    names: tuple[Instrument, ...] = ("light", "deep")
    return {
        name: median(durations[name]) / max(1, median(bare))
        if len(bare) >= _BARE_TO_COMPARE and len(durations.get(name, ())) >= _OWN_TO_COMPARE
        else None
        for name in names
    }
