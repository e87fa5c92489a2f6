"""The steps of a capture so far: how each was measured, and which ones do not count."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from perfkit.capture.schedule import missing
from perfkit.model.run import Gap, Instrument, OpStat, Step

_MEASURED: tuple[Instrument, ...] = ("bare", "light", "deep")
_MAX_AFTER = 10_000
_MIN_USUAL, _MAX_USUAL = 2, 100


class Logbook:
    """Steps in order, with what is needed to judge them.

    Attributes:
        steps: all of them, except what lies far behind the end of the measurement.
        index: of the step that is running.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.index = 0
        self._after = 0
        self._forwards: list[int] = []
        self._odd: list[int] = []
        self._deep_ops: list[int] = []
        self._bare_calls: list[int] = []

    def is_odd(self, forwards: int) -> bool:
        """True for a step with many more forwards than the others: a validation between epochs."""
        usual = self._forwards
        odd = len(usual) >= _MIN_USUAL and forwards > 2 * median(usual) + 1
        if odd:
            self._odd.append(self.index)
        elif len(usual) < _MAX_USUAL:
            usual.append(forwards)
        return odd

    def add(
        self,
        instrument: Instrument,
        start_ns: int,
        end_ns: int,
        ops: int | None,
        calls: int = 0,
    ) -> None:
        """The running step ended.

        Args:
            ops: operators on the device counted in it; None where nobody counted.
            calls: operator calls that went through the pretence in it.
        """
        if instrument == "bare":
            self._bare_calls.append(calls)
        if instrument == "deep" and ops is not None:
            self._deep_ops.append(ops)
        if instrument == "after":
            self._after += 1
        if self._after <= _MAX_AFTER:
            self.steps.append(Step(self.index, instrument, start_ns, end_ns))
        self.index += 1

    def restart(self) -> None:
        """All steps so far were something else."""
        self.steps = [replace(step, instrument="warm-up") for step in self.steps]
        self._after = 0
        for seen in (self._forwards, self._odd, self._deep_ops, self._bare_calls):
            seen.clear()

    def measured(self, *instruments: Instrument) -> set[int]:
        """Indices of the steps measured in one of these ways; of all that were, without arguments."""
        return {s.index for s in self.steps if s.instrument in (instruments or _MEASURED)}

    def most_ops(self) -> int:
        """The most operators that a deep step had; 0 while unknown."""
        return max(self._deep_ops, default=0)

    def launches(self, ops: tuple[OpStat, ...]) -> float | None:
        """Operators on the device per deep step; on a GPU, kernels and copies per light step."""
        if self._deep_ops:
            return sum(self._deep_ops) / len(self._deep_ops)
        light = len(self.measured("light"))
        calls = sum(op.calls for op in ops if op.place == "device")
        return calls / light if light and calls else None

    def pretence(self, call_cost_ns: float | None) -> float | None:
        """A bare step under the pretence over the same without it; None where that is unknown.

        An estimate: calls per step times the cost of one, measured on a tiny operator.
        """
        bare = [step.duration_ns for step in self.steps if step.instrument == "bare"]
        if call_cost_ns is None or not bare:
            return None
        own = call_cost_ns * median(self._bare_calls)
        rest = median(bare) - own
        return median(bare) / rest if rest > 0 else None

    def gaps(self) -> tuple[Gap, ...]:
        """What was not measured, or not counted."""
        gaps = list(missing(tuple(self.steps)))
        if self._odd:
            gaps.append(
                Gap(
                    f"step {', '.join(map(str, self._odd[:5]))}",
                    "held many more forwards than the others (a validation?) and was not counted",
                )
            )
        if self._after > _MAX_AFTER:
            gaps.append(Gap("later steps", f"only {_MAX_AFTER} steps after measuring are listed"))
        return tuple(gaps)
