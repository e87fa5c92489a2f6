"""The device has nothing to do for a good part of the step.

What it does
    Takes every stretch of the step in which no stream of the device runs anything and asks what
    ended it: work that was launched too late, because the host loaded data, ran Python and
    operators or prepared launches; or work that was queued and still waited, for another stream or
    for a collective. Idle time that follows a wait of the host belongs to `host_wait_in_step`.

Why it hurts
    An idle device earns nothing, and a faster one would only idle longer. When the host is the
    reason, neither better kernels nor more memory change the step time.

How the saving is estimated
    The idle time of the cause, per step, is what there is to win at most. Likely is half of it and
    low a tenth: what made the host late usually gets shorter, it seldom goes away. Causes add up,
    as no moment is counted twice.

When not to act
    In a trace of a few warm-up steps, when the trace was recorded with stacks (the profiler itself
    slows the host down, often by half), or when the program serves single requests and idles
    between them by nature.
"""

from __future__ import annotations

from dataclasses import dataclass

from perfkit.analysis.device_idle import CAUSES, DeviceIdle
from perfkit.analysis.idle_edges import Edge
from perfkit.analysis.trace_reading import TraceReading, trace_reading
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.base.units import share as share_text
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_SHARE = 0.05
_WINNABLE = (0.1, 0.5, 1.0)


@dataclass(frozen=True)
class _Blame:
    """What one group of causes is called and what helps."""

    kind: str
    causes: tuple[str, ...]
    because: str
    fix: str


_BLAMES = (
    _Blame(
        "data loading",
        ("loading",),
        "while the host loads data",
        "Give the DataLoader workers (num_workers, persistent_workers, prefetch_factor) and pinned "
        "memory, and take preprocessing out of the main process",
    ),
    _Blame(
        "slow launching",
        ("python", "aten", "launching", "other"),
        "because the host launches work too slowly",
        "Launch less: batch small operators, torch.compile the step, or replay it as a CUDA graph; "
        "take Python work out of the step",
    ),
    _Blame(
        "stream wait",
        ("stream",),
        "with work queued that waits for another stream or process",
        "Look for the event that the waiting stream needs, and for other programs on this device",
    ),
    _Blame(
        "collective wait",
        ("collective",),
        "behind collectives",
        "Overlap communication with compute (bucket sizes, prefetch), and find the late rank",
    ),
)


def idle_device(run: Run) -> Looked:
    """One finding per group of causes that takes at least a twentieth of the step.

    Raises:
        NotObservable: no trace with device work is at hand.
    """
    if not isinstance(run.events, Events):
        raise NotObservable("no trace was read, so the device's own timeline is unknown")
    reading = trace_reading(run.events)
    if not reading.idle:
        raise NotObservable("the trace holds no work of a device")
    device = reading.idle[0]
    share = device.total_ns / device.step_ns if device.step_ns else 0.0
    edges = tuple(edge for edge in reading.edges if edge.device == device.device)
    findings = [_finding(blame, device, reading, edges) for blame in _BLAMES]
    at = f"device {device.device} idle for {share_text(share)} of {units.ns(device.step_ns)}"
    return Looked(at, tuple(finding for finding in findings if finding is not None))


_DOING = {
    "python": ", mostly in Python",
    "aten": ", mostly inside ATen operators",
    "launching": ", mostly in calls of the runtime",
}


def _mostly(parts: dict[str, int]) -> str:
    """What the host did for most of the time, where that is not in the cause's own name."""
    main = max(parts, key=lambda cause: parts[cause])
    return _DOING.get(main, "") if 2 * parts[main] > sum(parts.values()) else ""


def _finding(
    blame: _Blame, device: DeviceIdle, reading: TraceReading, edges: tuple[Edge, ...]
) -> Finding | None:
    columns = [CAUSES.index(cause) for cause in blame.causes]
    parts = dict(zip(blame.causes, device.split[:, columns].sum(axis=0).tolist(), strict=True))
    idle, steps = sum(parts.values()), len(reading.steps.windows)
    if idle < _SHARE * device.step_ns:
        return None
    mine = [edge for edge in edges if edge.cause in blame.causes]
    placed = next((edge for edge in mine if edge.place), None)
    low, likely, high = (round(idle * part / steps) for part in _WINNABLE)
    share = idle / device.step_ns
    return Finding(
        title=f"The device idles {share_text(share)} of the step {blame.because}{_mostly(parts)}",
        evidence={
            "kinds": blame.kind,
            "idle_ns": round(idle / steps),
            "share": share,
            **{f"{cause}_ns": round(ns / steps) for cause, ns in parts.items() if ns},
            "longest_ns": max((edge.longest_ns for edge in mine), default=None),
            "ended_by": mine[0].op if mine else None,
            "ended_at": str(placed.place) if placed else None,
        },
        saving=Saving(low, likely, high, "a tenth, half and all of the idle time in the trace"),
        fix=blame.fix,
        confidence="likely",
    )
