"""What `--perfetto` draws above a trace: steps, idle causes, waits, path, queue, memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from perfkit.base.errors import NotObservable
from perfkit.exports.perfetto import Counter, Slice, Track

if TYPE_CHECKING:
    from perfkit.analysis.critical_path import CriticalPath
    from perfkit.analysis.device_idle import DeviceIdle
    from perfkit.analysis.trace_reading import TraceReading
    from perfkit.model.events import Events


def overlay(events: Events) -> tuple[list[Track], list[Counter]]:
    """The tracks and counters for which the trace has something to show."""
    from perfkit.analysis.trace_reading import trace_reading

    reading = trace_reading(events)
    tracks = [Track("steps", _steps(reading))]
    tracks += [Track(f"idle causes of device {each.device}", _idle(each)) for each in reading.idle]
    if reading.waits:
        tracks.append(Track("sync waits", _waits(reading)))
    with suppress(NotObservable):  # nothing launched and nothing waited: there is no path
        found = reading.graph
        part = "" if found.graph.steps == found.of_steps else f" of {found.taken()}"
        tracks.append(Track(f"critical path{part}", _path(found.path)))
    return tracks, [*_queue(reading), *_memory(events)]


def _steps(reading: TraceReading) -> Iterator[Slice]:
    for window in reading.steps.windows:
        yield Slice(f"step {window.number}", window.start_ns, window.end_ns - window.start_ns)


def _idle(device: DeviceIdle) -> Iterator[Slice]:
    from perfkit.analysis.device_idle import CAUSES

    columns = (device.start, device.end, device.cause, device.split)
    for start, end, cause, split in zip(*(c.tolist() for c in columns), strict=True):
        parts = {f"{name}_ns": ns for name, ns in zip(CAUSES, split, strict=True) if ns}
        yield Slice(f"idle: {CAUSES[cause]}", start, end - start, parts)


def _waits(reading: TraceReading) -> Iterator[Slice]:
    for cost in sorted(reading.waits, key=lambda cost: cost.wait.start_ns):
        wait = cost.wait
        about = {
            "call": wait.call,
            "line": str(wait.stack[0]) if wait.stack else None,
            "idle_after_ns": cost.idle_ns,
            "lost_ns": cost.lost_ns,
        }
        yield Slice(wait.op, wait.start_ns, wait.end_ns - wait.start_ns, about)


def _path(path: CriticalPath) -> Iterator[Slice]:
    """Work, and between two pieces of it the delay that led from one to the other."""
    from perfkit.analysis._replay import EdgeKind, NodeKind
    from perfkit.analysis.critical_path import OF_EDGE, OF_NODE

    nodes, events = path.graph.nodes, path.graph.events
    on = path.nodes
    columns = (nodes.start[on], nodes.dur[on], nodes.row[on], nodes.kind[on], path.delays, path.via)
    for start, dur, row, kind, delay, via in zip(*(c.tolist() for c in columns), strict=True):
        if delay > 0:
            name = "idle" if via < 0 else OF_EDGE[EdgeKind(via)]
            yield Slice(f"delay: {name}", start - delay, delay)
        if dur > 0:
            about = {"class": OF_NODE.get(NodeKind(kind), "host")}
            yield Slice(events.name_of(row) if row >= 0 else "host code", start, dur, about)


def _queue(reading: TraceReading) -> Iterator[Counter]:
    launched = reading.launched
    if launched is not None:
        pairs = zip(launched.at.tolist(), launched.length.tolist(), strict=True)
        yield Counter("launches waiting", pairs)


def _memory(events: Events) -> Iterator[Counter]:
    from perfkit.analysis.device_memory import device_memory

    with suppress(NotObservable):  # recorded only on demand
        for each in device_memory(events):
            changed = np.flatnonzero(np.diff(each.allocated, prepend=-1))
            pairs = zip(each.at[changed].tolist(), each.allocated[changed].tolist(), strict=True)
            yield Counter(f"bytes in use on {each.name}", pairs)
