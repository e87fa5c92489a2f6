"""The floors of a run: on the machine that was measured, and predicted for other devices.

A step that ran on a CPU is held against the CPU's floor, which is all that was measured. What limits
it on a GPU is said from the model: floors from the GPU's peaks, launches and waits as they were
counted. Nothing measured on a CPU enters that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from perfkit.analysis.other_device import Range, other_device, step_work
from perfkit.analysis.peaks import peaks_for
from perfkit.analysis.roofline import Floor, floors, measured_ns
from perfkit.analysis.step_floor import Observed, StepFloor, step_floor
from perfkit.analysis.steps import typical_step
from perfkit.analysis.sync_costs import cost
from perfkit.analysis.sync_points import sync_points
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.peaks import Peaks
from perfkit.model.run import Run

REFERENCES = ("H200 SXM", "A100 SXM 80GB", "T4")
"""GPUs that a run without one is held against, the first in the verdict unless one is asked for."""


@dataclass(frozen=True)
class RunFloors:
    """Floors of a run.

    Attributes:
        here: of the machine that was measured; None where its peaks are not known.
        why: why there is no `here`; empty where there is.
        elsewhere: predictions for GPUs.
        rows: floors of the operators on the machine of `here`, else on the first that is predicted.
        asked: predictions for devices that somebody asked for, in that order.
    """

    here: StepFloor | None
    why: str
    elsewhere: tuple[StepFloor, ...]
    rows: tuple[Floor, ...]
    asked: tuple[StepFloor, ...] = ()

    @property
    def rows_on(self) -> Peaks:
        """The device that `rows` are floors of."""
        return (self.here or (*self.asked, *self.elsewhere)[0]).peaks

    @property
    def first(self) -> StepFloor:
        """The one to speak of: asked for, else a GPU that was measured or predicted, else this CPU."""
        measured_gpu = self.here is not None and self.here.peaks.launch_ns is not None
        others = (self.here, *self.elsewhere) if measured_gpu else (*self.elsewhere, self.here)
        return next(found for found in (*self.asked, *others) if found is not None)


def run_floors(run: Run, asked: Sequence[Peaks] = ()) -> RunFloors:
    """The floors of a run's costed steps.

    Args:
        asked: devices to predict the step for, before all others.

    Raises:
        NotApplicable: no step was costed.
        NotObservable: no device's peaks are known.
    """
    if not run.costs or not run.costed_steps:
        how = " (the trace has no shapes: record_shapes=True)" if run.source == "trace" else ""
        raise NotApplicable(f"FLOPs and bytes of operators were not recorded{how}")
    try:
        found = _run_floors(_Same(run))
    except NotObservable as reason:
        if not asked:
            raise
        found = RunFloors(None, str(reason), (), ())
    return _with_asked(found, run, asked) if asked else found


def _with_asked(found: RunFloors, run: Run, asked: Sequence[Peaks]) -> RunFloors:
    """Those asked for before all others; the device that was measured needs no prediction."""
    measured = found.here.peaks.device if found.here is not None else None
    floors = tuple(_predicted(run, peaks) for peaks in asked if peaks.device != measured)
    names = {peaks.device for peaks in asked}
    others = tuple(floor for floor in found.elsewhere if floor.peaks.device not in names)
    rows = found.rows if found.here is not None else floors[0].rows
    return replace(found, asked=floors, elsewhere=others, rows=rows)


@dataclass(frozen=True, eq=False)
class _Same:
    """A run by identity: several tables and rules ask for the same floors."""

    run: Run

    def __hash__(self) -> int:
        return id(self.run)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.run is self.run


@lru_cache(maxsize=4)
def _run_floors(same: _Same) -> RunFloors:
    run = same.run
    own = run.peaks or (peaks_for(_gpu(run)) if run.device == "cuda" else None)
    here, rows, why = None, None, ""
    if own is None:
        why = "the peaks of this machine are not known (perfkit peaks measures them)"
    else:
        rows = floors(run.costs, own, tf32(run))
        here = step_floor(rows, own, _observed(run), run.costed_steps)
    named = [] if run.device == "cuda" else [peaks_for(name) for name in REFERENCES]
    elsewhere = tuple(_predicted(run, peaks) for peaks in named if peaks is not None)
    if rows is None and not elsewhere:
        raise NotObservable(why)
    return RunFloors(here, why, elsewhere, rows or elsewhere[0].rows)


def tf32(run: Run) -> bool:
    """The program let tensor cores round its float32 products; unknown counts as no."""
    return run.env.get("float32 products") in ("high", "medium")


def _gpu(run: Run) -> str:
    """Its name, as captures ("gpu") and traces ("GPU") tell it; empty where neither does."""
    return run.env.get("gpu") or run.env.get("GPU") or ""


def _predicted(run: Run, peaks: Peaks) -> StepFloor:
    syncs, sync_ns = _waits(run)
    found = other_device(step_work(run), peaks)
    observed = Observed(run.launches_per_step, syncs, sync_ns, predicted=found)
    return step_floor(floors(run.costs, peaks, tf32(run)), peaks, observed, run.costed_steps)


def _observed(run: Run) -> Observed:
    try:
        step_ns = float(typical_step(run).median_ns) / (run.overhead.get("pretence") or 1.0)
    except NotObservable:
        return Observed(run.launches_per_step)
    syncs, sync_ns = _waits(run) if run.device == "cuda" else (None, None)
    return Observed(run.launches_per_step, syncs, sync_ns, step_ns, _device_ns(run))


def _device_ns(run: Run) -> float | None:
    """How long the device worked per step: kernels of the light steps, else the costed operators."""
    light = len(run.steps_measured("light"))
    if run.device == "cuda":
        kernels = [op.self_ns for op in run.ops if op.place == "device"]
        return sum(kernels) / light if kernels and light else None
    times = [measured_ns(row) for row in run.costs]
    if any(ns is None for ns in times):
        return None
    return sum(ns or 0 for ns in times) / run.costed_steps


def _waits(run: Run) -> tuple[float | None, Range | None]:
    try:
        points = sync_points(run)
    except NotObservable:
        return None, None
    costs = [cost(point) for point in points]
    return sum(point.per_step for point in points), (
        float(sum(each.low_ns for each in costs)),
        float(sum(each.likely_ns for each in costs)),
        float(sum(each.high_ns for each in costs)),
    )
