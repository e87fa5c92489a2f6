"""The least time of a whole step, what a measured step adds to it, and what limits the step.

Definitions, all per step:

- Floor: the sum of the operators' rooflines, since eager operators run one after another. *Fused* is
  the same if no operand travelled to memory at all: FLOPs alone.
- Launches: operators times what one launch (on a CPU: one operator call) keeps the host busy.
- Eager floor: the floor with launches. On a GPU host and device work side by side, so the larger of
  the two; on a CPU the same thread does both, so their sum.
- Waits: the cost model of `sync_costs`, as a range. They are no part of a floor: a program without
  them computes the same.
- The step: measured, or predicted by `other_device` for a device that is not at hand.

A step is limited by whatever takes most of it, and by everything that takes at least a third of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from perfkit.analysis.other_device import Prediction, Range
from perfkit.analysis.roofline import Floor, measured_ns
from perfkit.model.peaks import Peaks

Class = Literal["compute", "memory", "overhead", "sync"]

ALSO = 1 / 3
"""Share of the largest part from which another one counts as a limit too."""


@dataclass(frozen=True)
class Observed:
    """What was measured of the same step; None where it was not.

    Attributes:
        step_ns: the step on the device that the floor is of.
        device_ns: how long that device worked in it.
        sync_ns: what its waits cost, as a range; (0, 0, 0) where there are none.
        syncs, launches: how many per step.
        predicted: what a step is predicted to take on the floor's device, where none was measured.
    """

    launches: float | None = None
    syncs: float | None = None
    sync_ns: Range | None = None
    step_ns: float | None = None
    device_ns: float | None = None
    predicted: Prediction | None = None


@dataclass(frozen=True)
class StepFloor:
    """One step on one device, in ns.

    Attributes:
        compute_ns, memory_ns: floors of the operators bound by one or the other.
        fused_ns: FLOPs alone.
        launch_ns: what launching takes the host; None where not known.
        parts: how the step splits into what may limit it: measured where it was, else the model.
        calls, known: operator calls, and those with a floor.
        rows: the floors it is the sum of, over all `steps`.
        known_time: share of the measured operator time that has a floor; None where not measured.
    """

    peaks: Peaks
    observed: Observed
    compute_ns: float
    memory_ns: float
    fused_ns: float
    launch_ns: float | None
    parts: dict[Class, float]
    calls: int
    known: int
    known_time: float | None
    rows: tuple[Floor, ...]
    steps: int

    @property
    def ns(self) -> float:
        """The floor: the sum of the operators' rooflines."""
        return self.compute_ns + self.memory_ns

    @property
    def eager_ns(self) -> float:
        """The floor with launches."""
        launch = self.launch_ns or 0.0
        return max(self.ns, launch) if self.peaks.launch_ns is not None else self.ns + launch

    @property
    def expected_ns(self) -> Range:
        """The step as predicted; without a prediction the eager floor with its waits."""
        if self.observed.predicted is not None:
            return self.observed.predicted.step
        waits = self.observed.sync_ns or (0.0, 0.0, 0.0)
        low, likely, high = (self.eager_ns + wait for wait in waits)
        return low, likely, high

    @property
    def step_ns(self) -> float:
        """The measured step; where there is none, the likely one of the model."""
        return self.observed.step_ns or self.expected_ns[1]

    @property
    def share(self) -> float | None:
        """Floor over step: 1 is as fast as it gets, more where operands stayed in a cache. None where
        nothing is known."""
        return self.ns / self.step_ns if self.known and self.step_ns else None

    @property
    def bound(self) -> tuple[Class, ...]:
        """What limits the step, in a fixed order; empty where nothing is known of it."""
        most = max(self.parts.values(), default=0.0)
        return tuple(c for c, ns in self.parts.items() if ns > 0 and ns >= ALSO * most)

    @property
    def words(self) -> str:
        """`overhead- and sync-bound`; `of unknown kind` where nothing is known."""
        names = [f"{each}-" for each in self.bound]
        if not names:
            return "of unknown kind"
        return f"{' and '.join([', '.join(names[:-1]), names[-1]] if names[1:] else names)}bound"

    def self_check(self) -> None:
        """The parts are no larger than the step they are parts of, and none is negative.

        Raises:
            AssertionError: they are.
        """
        assert all(ns >= 0 for ns in self.parts.values()), self.parts
        if self.observed.step_ns is not None:
            assert sum(self.parts.values()) <= self.observed.step_ns * (1 + 1e-9), self.parts
        assert self.fused_ns <= self.ns * (1 + 1e-9)
        assert self.known <= self.calls


def step_floor(
    rows: Sequence[Floor], peaks: Peaks, observed: Observed, steps: int = 1
) -> StepFloor:
    """The floor of one step.

    Args:
        rows: floors of the operators of all `steps` together, on the device of `peaks`.
        observed: of one step; without `step_ns` the limits come from the model alone.
    """
    known = [row for row in rows if row.ns is not None]
    compute = sum(row.ns or 0.0 for row in known if row.bound == "compute") / steps
    memory = sum(row.ns or 0.0 for row in known if row.bound != "compute") / steps
    fused = sum(min(row.compute_ns or 0.0, row.ns or 0.0) for row in known) / steps
    each = peaks.launch_ns or peaks.host_op_ns
    launch = None
    if each is not None and observed.launches is not None:
        launch = observed.launches * each.value
    calling = _calling_ns(rows, peaks) / steps
    parts = _parts((compute, memory), (launch or 0.0, calling), observed)
    return StepFloor(
        peaks=peaks,
        observed=observed,
        compute_ns=compute,
        memory_ns=memory,
        fused_ns=fused,
        launch_ns=launch,
        parts=parts,
        calls=sum(row.cost.calls for row in rows),
        known=sum(row.cost.calls for row in known),
        known_time=_known_time(rows),
        rows=tuple(rows),
        steps=steps,
    )


def _parts(
    on_device: tuple[float, float], on_host: tuple[float, float], observed: Observed
) -> dict[Class, float]:
    """Where the time of the step goes; never more than the step where that was measured.

    Args:
        on_device: floors of the operators bound by arithmetic, and by memory.
        on_host: cost of all launches; measured time of operators that are mostly their call.
    """
    (compute, memory), (launch, calling) = on_device, on_host
    waits = observed.sync_ns[1] if observed.sync_ns is not None else 0.0
    if observed.step_ns is None and observed.predicted is not None:
        return _predicted_parts(compute, memory, observed.predicted)
    if observed.step_ns is None or observed.device_ns is None:
        parts: dict[Class, float]
        parts = {"compute": compute, "memory": memory, "overhead": launch, "sync": waits}
        whole = sum(parts.values())
        most = observed.step_ns if observed.step_ns is not None else whole
        return {name: ns * min(1.0, most / whole) if whole else 0.0 for name, ns in parts.items()}
    busy = max(0.0, min(observed.device_ns, observed.step_ns) - calling)
    rest = observed.step_ns - busy
    floor = compute + memory
    waiting = rest * waits / (waits + launch) if waits + launch else 0.0
    return {
        "compute": busy * compute / floor if floor else 0.0,
        "memory": busy * memory / floor if floor else 0.0,
        "overhead": rest - waiting,
        "sync": waiting,
    }


def _calling_ns(rows: Sequence[Floor], peaks: Peaks) -> float:
    """On a CPU, the measured time of operators that have less to do than their call takes."""
    if peaks.launch_ns is not None or peaks.host_op_ns is None:
        return 0.0
    each = peaks.host_op_ns.value
    small = [row for row in rows if row.ns is not None and row.ns < each * row.cost.calls]
    return float(sum(measured_ns(row.cost) or 0 for row in small))


def _predicted_parts(compute: float, memory: float, step: Prediction) -> dict[Class, float]:
    """The likely parts of a predicted step; the device's by what bounds its operators."""
    on_device = compute + memory
    share = compute / on_device if on_device else 0.0
    return {
        "compute": step.device[1] * share,
        "memory": step.device[1] * (1 - share) if on_device else 0.0,
        "overhead": step.host[1] if step.host is not None else 0.0,
        "sync": step.waits[1] if step.waits is not None else 0.0,
    }


def _known_time(rows: Sequence[Floor]) -> float | None:
    """Share of the measured time with a floor; None where a row was not measured."""
    times = [(measured_ns(row.cost), row.ns is not None) for row in rows]
    if not times or any(ns is None for ns, _ in times):
        return None
    whole = sum(ns or 0 for ns, _ in times)
    return sum(ns or 0 for ns, known in times if known) / whole if whole else None
