"""Gradients are reduced in many small collectives, each of which pays the same latency.

What it does
    Looks at all-reduces, reduce-scatters and all-gathers that could travel together: those launched
    while gradients are accumulated, by DistributedDataParallel or FSDP, or one right after another.
    Speaks up for at least 8 below 1 MiB per step that together are exposed for a fiftieth of it.

Why it hurts
    A collective takes some tens of microseconds before the first byte moves, and moves few bytes at a
    fraction of the link's rate. One all-reduce of 25 MiB takes hardly longer than one of 100 KiB.

How the saving is estimated
    By t = a + n / b (Hockney, 1994), where a is the shortest duration among the small ones. Nothing is
    low: what is merged starts later and may overlap less. Likely are the latencies of those that
    merging leaves out, as far as nothing hides them; high is all exposed time but the latencies that
    stay. A part of it may be waiting for a late rank; exposed-communication counts the same time.

When not to act
    When a layer needs the result of each before the next can start (tensor parallelism, normalisation
    over ranks): those cannot be merged. When all of them hide behind the backward pass.
"""

from __future__ import annotations

from perfkit.analysis.gradient_buckets import Buckets, bandwidth, gradient_buckets
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_MANY = 8
_SHARE = 0.02
_METHOD = "t = a + n / b, a being the shortest duration among the small ones; exposed time only"

FIX = (
    "Reduce gradients in buckets: DistributedDataParallel(bucket_cap_mb=25 or more, "
    "gradient_as_bucket_view=True) instead of one all_reduce per parameter, FSDP units of whole layers, "
    "dist._coalescing_manager around own loops"
)


def small_buckets(run: Run) -> Looked:
    """One finding per kind and group of collectives.

    Raises:
        NotApplicable: no trace was read, or it holds no communication or no step.
        NotObservable: the trace tells no sizes.
    """
    if not isinstance(run.events, Events):
        raise NotApplicable("no trace was read")
    reading = trace_reading(run.events)
    if not reading.work.is_comm.any():
        raise NotApplicable("no collective was traced on a device")
    if not reading.steps.windows:
        raise NotApplicable("no step was traced")
    steps = len(reading.steps.windows)
    step_ns = sum(step.length_ns for step in reading.breakdown) / steps
    buckets = gradient_buckets(run.events)
    small, large = sum(len(b.small) for b in buckets), sum(len(b.large) for b in buckets)
    at = (
        f"{units.count(round(small / steps, 1))} collectives below 1 MiB and "
        f"{units.count(round(large / steps, 1))} larger ones per step that could travel together"
    )
    found = [_finding(each, steps, step_ns) for each in buckets if _matters(each, steps, step_ns)]
    return Looked(at, tuple(found))


def _matters(each: Buckets, steps: int, step_ns: float) -> bool:
    return len(each.small) >= _MANY * steps and each.exposed_ns >= _SHARE * step_ns * steps


def _finding(each: Buckets, steps: int, step_ns: float) -> Finding:
    count = units.count(round(len(each.small) / steps, 1))
    low, likely, high = (value // steps for value in each.saving_ns(steps))
    mean = each.small_bytes / len(each.small)
    return Finding(
        title=f"{count} {each.kind} per step move {units.nbytes(mean)} on average: "
        f"{units.ns(each.exposed_ns / steps)} of the step, {_mostly(each)}",
        evidence={
            "collective": each.kind,
            "group": each.group or None,
            "per_step": len(each.small) / steps,
            "bytes_per_step": each.small_bytes // steps,
            "exposed_ns": each.exposed_ns // steps,
            "share": each.exposed_ns / steps / step_ns if step_ns else None,
            "latency_ns": each.latency_ns,
            "bus_bandwidth": bandwidth(each.small),
            "bus_bandwidth_of_large": bandwidth(each.large),
            "after_merging": each.merged(steps) / steps,
        },
        saving=Saving(low, likely, high, _METHOD),
        fix=FIX,
        confidence="likely",
    )


def _mostly(each: Buckets) -> str:
    latencies = len(each.small) * each.latency_ns
    return "mostly latency" if 2 * latencies >= each.duration_ns else "latency and waiting"
