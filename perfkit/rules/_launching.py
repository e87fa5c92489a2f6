"""Where launches limit a step: what several rules about launches stand on."""

from __future__ import annotations

from dataclasses import replace

from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.step_floor import StepFloor
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules._claims import PART_OF
from perfkit.rules._starved import STARVED, starves

_TIMES = 3.0
_MANY = 100
_IDLE = 0.5
_REMOVABLE = (0.25, 0.5, 0.9)

FIX = (
    "Make the shapes static, then torch.compile(mode='reduce-overhead') the step or replay it as a "
    "CUDA graph; a larger batch helps as well"
)
WAITS_FIRST = (
    "Remove the waits first: a CUDA graph cannot hold them. Then make the shapes static and "
)


def launch_bound(run: Run) -> Finding | None:
    """What is found where launches limit the step, whoever has the saving.

    Raises:
        NotApplicable: no step was costed.
        NotObservable: launches were not counted, or no GPU is known to hold them against.
    """
    floor = floor_of(run)
    if not _bound(floor):
        return None
    found = _finding(floor)
    return left_to(found, STARVED) if starved(run) else found


def starved(run: Run) -> bool:
    """Whether a trace shows the queue empty, and `queue_starved` counts that time by what was seen."""
    return isinstance(run.events, Events) and starves(trace_reading(run.events))


def left_to(found: Finding, rule: str) -> Finding:
    """The finding without a saving, as another rule counts the same launches."""
    return replace(found, evidence={**found.evidence, PART_OF: rule}, saving=None)


def floor_of(run: Run) -> StepFloor:
    """The floor of the device to speak of, whose launches are known; raises as `launch_bound`."""
    floor = run_floors(run).first
    if floor.launch_ns is None or floor.observed.launches is None:
        raise NotObservable("launches were not counted, or what one costs is not known")
    if floor.peaks.launch_ns is None:
        raise NotObservable("no GPU's peaks are known to hold the launches against")
    return floor


def _bound(floor: StepFloor) -> bool:
    observed = floor.observed
    if (observed.launches or 0) < _MANY or (floor.launch_ns or 0.0) < _TIMES * floor.ns:
        return False
    if observed.step_ns is None:
        return True
    busy = observed.device_ns
    return busy is not None and busy < _IDLE * observed.step_ns


def _finding(floor: StepFloor) -> Finding:
    observed = floor.observed
    waits = bool(observed.syncs)
    fix = WAITS_FIRST + FIX.partition(", then ")[2] if waits else FIX
    return Finding(
        title=f"Launching takes {units.ns(floor.launch_ns)} per step, and what is launched "
        f"{units.ns(floor.ns)} at least on {floor.peaks.device}",
        evidence={
            "launches_per_step": observed.launches,
            "launch_ns": round(floor.launch_ns or 0.0),
            "floor_ns": round(floor.ns),
            "share_of_floor": floor.share,
            "limited_by": floor.words,
            "waits_per_step": observed.syncs,
            "device": floor.peaks.device,
            "step": "measured" if observed.step_ns is not None else "predicted",
        },
        saving=_saving(floor, waits) if observed.step_ns is not None else None,
        fix=fix,
        confidence="likely" if observed.step_ns is not None else "low",
    )


def _saving(floor: StepFloor, waits: bool) -> Saving:
    beyond = max(0.0, (floor.launch_ns or 0.0) - floor.ns)
    low, likely, high = (round(beyond * share) for share in _REMOVABLE)
    method = "launches beyond the device's floor, of which 25, 50 and 90 % go"
    return Saving(0 if waits else low, likely, high, method)
