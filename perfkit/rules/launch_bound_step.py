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
    counted twice: python_bound_step is then part of this finding; where nothing keeps the step from
    being captured, cuda_graph_candidate has the saving, and where a trace shows the launch queue empty,
    queue_starved has. Where the step also waits for the device, low
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

from perfkit.analysis.graph_capture import graph_capture
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.run import Run
from perfkit.rules._engine import Looked
from perfkit.rules._launching import floor_of, launch_bound, left_to, starved

_CANDIDATE = "cuda-graph-candidate"


def launch_bound_step(run: Run) -> Looked:
    """At most one finding, about the step as a whole.

    Raises:
        NotApplicable: no step was costed.
        NotObservable: launches were not counted, or no GPU is known to hold them against.
    """
    floor = floor_of(run)
    at = (
        f"{units.count(round(floor.observed.launches or 0))} launches of {units.ns(floor.launch_ns)} "
        f"against operators of {units.ns(floor.ns)} on {floor.peaks.device}"
    )
    found = launch_bound(run)
    if found is not None and not starved(run) and _capturable(run):
        found = left_to(found, _CANDIDATE)
    return Looked(at, () if found is None else (found,))


def _capturable(run: Run) -> bool:
    """Whether `cuda_graph_candidate` speaks for the step."""
    try:
        return graph_capture(run).possible
    except NotObservable:
        return False
