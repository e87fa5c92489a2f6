"""Launching takes longer than what is launched: the step waits for the host to hand out its work.

What it does
    Compares what the operators of a step need at least on the device (their rooflines) with what
    launching them takes the host: launches times 5 µs on a GPU. Speaks up when launching takes at
    least three times as long, for 100 launches and more. On a GPU that was measured the device must
    also be idle most of the step.

Why it hurts
    Every launch costs the host the same few microseconds, however small the kernel. When kernels
    are shorter than their launches, the device runs dry between them, and neither a faster device
    nor a narrower dtype changes the step.

How the saving is estimated
    A CUDA graph replays a whole step with one launch, compiling leaves out those of fused operators:
    25, 50 and 90 % of the launches' time beyond the device's own floor. The same launches are not
    counted twice: python_bound_step is then part of this finding, and where nothing keeps the step from
    being captured, cuda_graph_candidate has the saving. Where the step also waits for the device, low
    is nothing: a graph cannot hold a wait. Where no GPU was measured there is no saving, and the finding
    is informative: how often the step launches was counted, but how much a launch does depends on the
    sizes, and programs are run small where there is no GPU. Small models on an H200 are all bound by
    their launches; whether yours is at its real size, only its real size shows.

When not to act
    When shapes change from step to step and cannot be padded, or when the batch can simply be made
    larger: the launches stay the same and the device gets more to do. Attention kernels, narrower
    dtypes and faster GPUs are no remedies here.
"""

from __future__ import annotations

from dataclasses import replace

from perfkit.analysis.graph_capture import graph_capture
from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.step_floor import StepFloor
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.rules._claims import PART_OF
from perfkit.rules._engine import Looked

_TIMES = 3.0
_MANY = 100
_IDLE = 0.5
_REMOVABLE = (0.25, 0.5, 0.9)
_CANDIDATE = "cuda-graph-candidate"

FIX = (
    "Make the shapes static, then torch.compile(mode='reduce-overhead') the step or replay it as a "
    "CUDA graph; a larger batch helps as well"
)
WAITS_FIRST = (
    "Remove the waits first: a CUDA graph cannot hold them. Then make the shapes static and "
)


def launch_bound_step(run: Run) -> Looked:
    """At most one finding, about the step as a whole.

    Raises:
        NotApplicable: no step was costed.
        NotObservable: launches were not counted, or no GPU is known to hold them against.
    """
    floor = _floor(run)
    at = (
        f"{units.count(round(floor.observed.launches or 0))} launches of {units.ns(floor.launch_ns)} "
        f"against operators of {units.ns(floor.ns)} on {floor.peaks.device}"
    )
    found = launch_bound(run)
    if found is not None and _capturable(run):
        evidence = {**found.evidence, PART_OF: _CANDIDATE}
        found = replace(found, evidence=evidence, saving=None)
    return Looked(at, () if found is None else (found,))


def launch_bound(run: Run) -> Finding | None:
    """What is found where launches limit the step, whoever has the saving.

    Raises:
        NotApplicable, NotObservable: as the rule.
    """
    floor = _floor(run)
    return _finding(floor) if _bound(floor) else None


def _capturable(run: Run) -> bool:
    """Whether `cuda_graph_candidate` speaks for the step."""
    try:
        return graph_capture(run).possible
    except NotObservable:
        return False


def _floor(run: Run) -> StepFloor:
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
