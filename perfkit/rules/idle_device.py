"""The device has nothing to do for a good part of the step.

What it does
    Takes every stretch of the step in which no stream of the device runs anything and asks what
    ended it: work that was launched too late, because the host loaded data, ran Python and
    operators or prepared launches; or work that was queued and still waited, for another stream or
    for a collective. Idle time that follows a wait of the host belongs to `host_wait_in_step`. Of
    several devices each cause is told for the one that idles most by it; one that did less than a
    hundredth of the busiest one's work is left out: the step does not run on it.

Why it hurts
    An idle device earns nothing, and a faster one would only idle longer. When the host is the
    reason, neither better kernels nor more memory change the step time.

How the saving is estimated
    Where the trace shows which launch started which work, the step is replayed from it. Loading:
    twice as fast is low, four times likely, all of it in the background high. Slow launching: a
    host 1.25 times as fast is low, twice as fast likely, each step as one CUDA graph high. Waits
    for streams and collectives cannot be replayed away, as what they wait for is not in the trace:
    there, and without launches, a tenth of the idle time is low, half of it likely and all of it
    high, which counts no moment twice. Slow launching has its saving in queue_starved, where that
    speaks up.

When not to act
    In a trace of a few warm-up steps (where single calls of the runtime that set the device up are
    most of it, the finding says so instead), when the trace was recorded with stacks (the profiler itself
    slows the host down, often by half), or when the program serves single requests and idles
    between them by nature.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from perfkit.analysis.device_idle import CAUSES, DeviceIdle
from perfkit.analysis.idle_edges import Edge
from perfkit.analysis.trace_reading import TraceReading, trace_reading
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.base.units import share as share_text
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules import _replayed
from perfkit.rules._claims import PART_OF
from perfkit.rules._engine import Looked
from perfkit.rules._start_up import FIX, METHOD, start_up
from perfkit.rules._starved import starves

_SHARE = 0.05
_USED = 0.01
_LATE = "slow launching"
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
        _LATE,
        ("python", "aten", "launching", "other"),
        "because the host launches work too slowly",
        "Launch less: batch small operators, torch.compile the step, or replay it as a CUDA graph; "
        "take Python work out of the step",
    ),
    _Blame(
        "stream wait",
        ("stream",),
        "with work queued behind another stream, another process or what ran before the recording",
        "Look for the event that the waiting stream needs, for other programs on this device, and for "
        "work that was launched before the recording began",
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
    devices = _used(reading.idle)
    findings = [_replayed_saving(run, _worst(blame, devices, reading)) for blame in _BLAMES]
    if starves(reading):
        findings = [_left_to(finding, _LATE, "queue-starved") for finding in findings]
    shares = [f"device {d.device} idle for {share_text(_idle(d))}" for d in devices]
    at = f"{', '.join(shares)} of {units.ns(devices[0].step_ns)}"
    return Looked(at, tuple(finding for finding in findings if finding is not None))


def _used(idle: tuple[DeviceIdle, ...]) -> tuple[DeviceIdle, ...]:
    """The devices that the steps run on, the busiest first."""
    busy = [device.step_ns - device.total_ns for device in idle]
    return tuple(d for d, ns in zip(idle, busy, strict=True) if ns >= _USED * max(busy))


def _replayed_saving(run: Run, finding: Finding | None) -> Finding | None:
    """The finding with its saving by replay, where one can express what helps."""
    saving = None if finding is None else _replayed.less_idle(run, str(finding.evidence["kinds"]))
    return finding if finding is None or saving is None else replace(finding, saving=saving)


def _left_to(finding: Finding | None, kind: str, rule: str) -> Finding | None:
    """The finding of this kind without a saving, as another rule has it."""
    if finding is None or finding.evidence["kinds"] != kind:
        return finding
    return replace(finding, evidence={**finding.evidence, PART_OF: rule}, saving=None)


def _idle(device: DeviceIdle) -> float:
    return device.total_ns / device.step_ns if device.step_ns else 0.0


def _worst(blame: _Blame, devices: tuple[DeviceIdle, ...], reading: TraceReading) -> Finding | None:
    """The finding for the device that idles most for these causes."""
    columns = [CAUSES.index(cause) for cause in blame.causes]
    device = max(devices, key=lambda d: int(d.split[:, columns].sum()))
    edges = tuple(edge for edge in reading.edges if edge.device == device.device)
    name = f"Device {device.device}" if len(reading.idle) > 1 else "The device"
    found = _finding(blame, device, reading, edges, name)
    return found if found is None or blame.kind != _LATE else _or_start_up(found, device, reading)


def _or_start_up(found: Finding, device: DeviceIdle, reading: TraceReading) -> Finding:
    """The finding of a late host, which is another one where the host set the device up."""
    steps, late = len(reading.steps.windows), int(found.evidence["idle_ns"] or 0)
    first = start_up(reading.events, device, late * steps)
    if first is None:
        return found
    head, _, _ = found.title.partition(" because ")
    per_step = round(first.idle_ns / steps)
    return replace(
        found,
        title=f"{head} while it is set up: {first.call} alone takes {units.ns(first.longest_ns)}",
        evidence={**found.evidence, "kinds": "start-up"},
        saving=Saving(per_step, per_step, per_step, METHOD),
        fix=FIX,
    )


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
    blame: _Blame, device: DeviceIdle, reading: TraceReading, edges: tuple[Edge, ...], name: str
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
        title=f"{name} idles {share_text(share)} of the step {blame.because}{_mostly(parts)}",
        evidence={
            "kinds": blame.kind,
            "device": device.device,
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
