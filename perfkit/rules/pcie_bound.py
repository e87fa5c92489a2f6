"""The device waits for copies over the bus: they run alone for a good part of the step.

What it does
    In a trace, adds up the time in which copies between host and device ran and nothing computed or
    communicated, and holds their rates against that of the link (measured by `perfkit peaks`, else PCIe
    of the device's generation with 16 lanes). Speaks up from a tenth of the step. Without a device's
    timeline it holds the bytes that are seen to be copied against the link's rate: a floor.

Why it hurts
    A link of 16 PCIe lanes carries 16 to 63 GB/s one way, a hundredth of what the device's own memory
    does. What is copied while nothing else runs makes each step longer by its whole duration.

How the saving is estimated
    Copies from pinned memory can run beside the step: nothing, half and all of their exposed time.
    Copies from ordinary memory make the host wait, and are counted by the findings about lines that
    copy, so they add nothing here where such lines are known.

When not to act
    When the copy is of weights before the first step, or of results at the end. When less than a step's
    data fits into the device's memory, so that it must be streamed.
"""

from __future__ import annotations

from perfkit.analysis.bus_copies import BusCopies, Way, bus_copies
from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.sync_points import sync_points
from perfkit.analysis.trace_reading import TraceReading, trace_reading
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.peaks import Peak
from perfkit.model.run import Run
from perfkit.rules import _claims, _places
from perfkit.rules._engine import Looked

_SHARE = 0.1
_SMALL = 64 << 10
_METHOD = "none, half and all of the exposed time of copies that do not make the host wait"
_OWNER = "blocking-copies"
_WAY = {"h2d": "to the device", "d2h": "to the host"}

FIX = (
    "Pin the batch and copy the next one while this one computes (pin_memory=True, non_blocking=True, a "
    "copy stream); send smaller types and convert on the device (uint8 images, int32 ids); keep on the "
    "device what does not change"
)
PACK = "Pack many small tensors into one before the copy. "


def pcie_bound(run: Run) -> Looked:
    """At most one finding, about the device that waits longest for copies.

    Raises:
        NotApplicable: nothing is copied between host and device.
        NotObservable: neither a device's timeline nor bytes and a step to hold them against are known.
    """
    if isinstance(run.events, Events) and trace_reading(run.events).idle:
        return _traced(run, trace_reading(run.events))
    return _floor(run)


def _traced(run: Run, reading: TraceReading) -> Looked:
    try:
        found = bus_copies(reading.events, reading.work, reading.steps)
    except NotObservable as reason:
        raise NotApplicable(str(reason)) from reason
    whole = sum(step.length_ns for step in reading.breakdown)
    share = found.exposed_ns / whole if whole else 0.0
    at = f"{units.share(share)} of {units.ns(whole)} is copies over the bus alone; {_rates(found)}"
    steps = len(reading.breakdown)
    return Looked(at, (_finding(run, found, steps, share),) if share >= _SHARE else ())


def _rates(found: BusCopies) -> str:
    return ", ".join(_told(way) for way in found.ways)


def _told(way: Way) -> str:
    memory = "" if way.memory == "unknown" else f" ({way.memory})"
    if way.rate is None:
        return f"{way.copies} copies {_WAY[way.direction]}{memory} of unknown size"
    if way.nbytes < _SMALL * way.copies:
        return f"{units.nbytes(way.nbytes)} {_WAY[way.direction]}{memory} in {_small(way.copies)}"
    return f"{units.nbytes(way.nbytes)} {_WAY[way.direction]}{memory} at {_gb(way.rate)}"


def _small(copies: int) -> str:
    return "one small copy" if copies == 1 else f"{units.count(copies)} small copies"


def _finding(run: Run, found: BusCopies, steps: int, share: float) -> Finding:
    main = found.ways[0]
    small = main.nbytes < _SMALL * main.copies
    peak = _peak(run, main)
    counted = sum(w.exposed_ns for w in found.ways if not _claimed(run, w)) / steps
    counted = min(counted, found.exposed_ns / steps)
    high = round(counted)
    evidence: dict[str, str | int | float | bool | None] = {
        "exposed_ns": found.exposed_ns // steps,
        "share": share,
        "share_of_device_time": found.busy_ns / found.device_ns if found.device_ns else None,
        "direction": main.direction,
        "memory": main.memory,
        "copies_per_step": main.copies / steps,
        "bytes_per_step": main.nbytes // steps,
        "bytes_per_second": main.rate,
        "link_bytes_per_second": peak.value if peak else None,
        "link": f"{peak.origin}: {peak.source}" if peak else None,
        **({} if high else {_claims.PART_OF: _OWNER}),
    }
    return Finding(
        title=f"The device waits {units.share(share)} of the step for copies {_WAY[main.direction]}: "
        f"{units.nbytes(main.nbytes / steps)} per step{_speed(main, peak)}",
        evidence=evidence,
        saving=Saving(0, high // 2, high, _METHOD) if high else None,
        fix=PACK + FIX if small else FIX,
        confidence="likely",
    )


def _speed(way: Way, peak: Peak | None) -> str:
    if way.rate is None:
        return ""
    of = f" of the link's {_gb(peak.value)}" if peak else ""
    memory = "" if way.memory == "unknown" else f" from {way.memory} memory"
    memory = memory.replace("from", "into") if way.direction == "d2h" else memory
    return f"{memory} at {_gb(way.rate)}{of}"


def _claimed(run: Run, way: Way) -> bool:
    """Whether lines that copy and wait are known, which then count this time."""
    if way.memory == "pinned":
        return False
    try:
        return any(p.direction == way.direction for p in sync_points(run))
    except NotObservable:
        return False


def _peak(run: Run, way: Way) -> Peak | None:
    if run.peaks is None:
        return None
    return run.peaks.h2d_pinned if way.direction == "h2d" else run.peaks.d2h_pinned


def _floor(run: Run) -> Looked:
    """Bytes per step over the link's rate, for a device that was not there."""
    try:
        points = [point for point in sync_points(run) if _places.is_copy(point)]
    except NotObservable as reason:
        raise NotObservable(f"no device's timeline was traced, and {reason}") from reason
    if not points:
        raise NotApplicable("no line is seen to copy between host and device")
    floor = run_floors(run).first
    known = [point.nbytes for point in points if point.nbytes is not None]
    peak = floor.peaks.h2d_pinned
    if not known or peak is None:
        raise NotObservable(
            "bytes, a link to hold them against, or the step it is part of are unknown"
        )
    least = sum(known) / peak.value * 1e9
    share = least / (least + floor.eager_ns)
    at = (
        f"{units.nbytes(sum(known))} per step need {units.ns(least)} at least over a link of "
        f"{_gb(peak.value)}, {units.share(share)} of a step without waits on {floor.peaks.device}; pinned "
        "copies are not seen without a device"
    )
    if share < _SHARE:
        return Looked(at)
    finding = Finding(
        title=f"Copies need {units.ns(least)} per step at least over the bus of {floor.peaks.device}, "
        f"{units.share(share)} of a step without waits: {units.nbytes(sum(known))}",
        place=points[0].site,
        code=_places.code_at(points[0].site),
        evidence={
            "bytes_per_step": round(sum(known)),
            "least_ns": round(least),
            "share": share,
            "link_bytes_per_second": peak.value,
            "link": f"{peak.origin}: {peak.source}",
            "device": floor.peaks.device,
            _claims.PART_OF: _OWNER,
        },
        fix=FIX,
        confidence="low",
    )
    return Looked(at, (finding,))


def _gb(rate: float) -> str:
    return f"{rate / 1e9:.3g} GB/s"
