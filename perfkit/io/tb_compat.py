"""Kineto's traces as torch_tb_profiler 0.4.3 (the last release) understands them.

Without this the plugin shows no device time at all: it joins kernels to operators through events of
category `runtime`, and Kineto now writes `cuda_runtime` and `cuda_driver`. Also mended, because the
plugin stumbles over it: the device's copies of step marks (steps would count twice), launches whose
external id belongs to no operator (their kernels would be lost), slices that overlap by less than a
rounding (the operator inside would be lost), a record window that ends in another century, fields
that are missing, and text that is not JSON.

Times and everything that is not named here stay as they were.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from isal import igzip

from perfkit.base.files import replacing
from perfkit.io._chunks import Document, collector_paused
from perfkit.io._columns import Columns
from perfkit.io._nesting import parents_among
from perfkit.io._raw import RawEvent
from perfkit.io._repairs import Repairs
from perfkit.model.events import ANNOTATIONS, DEVICE_WORK, HOST_OPS, RUNTIME, Events, Ints, Mask
from perfkit.model.run import Gap

_LEVEL = 1
_ROUNDING_NS = 1_000
_HOUR_US = 3_600e6
_WINDOW_END = "Record Window End"
_STEP = "ProfilerStep#"
_EXTERNAL = re.compile(rb'"[Ee]xternal id"\s*:\s*-?\d+')
_PLUGIN_RUNTIME = "Runtime"
_IGNORED = "annotation"  # a category that the plugin does not know, and so leaves alone
_INTERVAL, _BEGIN, _END = "X", "B", "E"


def tb_compatible(src: Path, dst: Path) -> tuple[Gap, ...]:
    """Write the trace `src` as `dst` (gzip), readable by the TensorBoard plugin.

    Returns what was mended in the source, and what the plugin will still not show.

    Raises:
        PerfkitError: `src` is no trace, or `dst` cannot be written.
    """
    return convert(src, dst).gaps


@dataclass(frozen=True)
class Converted:
    """What a conversion learned of its source."""

    has_device: bool
    gaps: tuple[Gap, ...]


def convert(src: Path, dst: Path) -> Converted:
    """As `tb_compatible`, telling also whether the trace holds any work of a device."""
    repairs = Repairs()
    with collector_paused():
        found = Document(src)
        columns = Columns(repairs)
        for chunk in found.chunks(repairs):
            columns.add(chunk)
        events = columns.events(found.metadata)
        changes, gaps = _plan(events)
        with replacing(dst) as temporary, igzip.open(temporary, "wb", compresslevel=_LEVEL) as out:
            _write(found, changes, out)
    return Converted(events.has_device(), (*events.gaps, *gaps))


@dataclass(frozen=True)
class _Changes:
    """What pass two does to each event, by its position in the file.

    Attributes:
        times: start and duration of every interval that is kept, ns.
        external: new external ids of runtime calls and device work.
        renamed: intervals that the plugin must not see as what they are.
        host: intervals whose thread id the plugin reads as a number, and that number.
        window_us: earliest and latest time that belongs to the recording.
    """

    times: dict[int, tuple[int, int]]
    external: dict[int, int]
    renamed: frozenset[int]
    host: dict[int, int]
    window_us: tuple[float, float]


def _plan(events: Events) -> tuple[_Changes, tuple[Gap, ...]]:
    order = events.order
    dur, gaps = _fitted(events)
    times = dict(
        zip(order.tolist(), zip(events.start.tolist(), dur.tolist(), strict=True), strict=True)
    )
    not_steps = _not_steps(events)
    external, needs = _externals(events)
    host = events.of((*HOST_OPS, *ANNOTATIONS))
    low = int(events.start.min()) / 1000 if len(events) else 0.0
    high = int(events.end.max()) / 1000 if len(events) else 0.0
    changes = _Changes(
        times=times,
        external=dict(zip(order[needs].tolist(), external[needs].tolist(), strict=True)),
        renamed=frozenset(order[not_steps].tolist()),
        host={int(order[row]): int(abs(events.tid[row])) for row in np.flatnonzero(host)},
        window_us=(low - _HOUR_US, high + _HOUR_US),
    )
    return changes, gaps


def _not_steps(events: Events) -> Mask:
    """Device annotations, and host marks that look like steps but are none."""
    starts = {(step.start_ns, step.number) for step in events.steps()}
    mask: Mask = events.of(("gpu_user_annotation",))
    marks = events.named(name for name in events.names if name.startswith(_STEP))
    for row in np.flatnonzero(marks & events.of((*ANNOTATIONS, *HOST_OPS))).tolist():
        number = events.name_of(row)[len(_STEP) :]
        if not number.isdecimal() or (int(events.start[row]), int(number)) not in starts:
            mask[row] = True
    return mask


def _externals(events: Events) -> tuple[Ints, Mask]:
    """External ids with which the plugin finds each launch's operator, and which rows need theirs set.

    0 hangs a launch under the root of its thread.
    """
    runtime, work = events.of(RUNTIME), events.of(DEVICE_WORK)
    steps = events.of(ANNOTATIONS) & events.named(n for n in events.names if n.startswith(_STEP))
    owners = events.of(HOST_OPS) | steps
    known = np.isin(events.external, events.external[owners & (events.external > 0)])
    parent = parents_among(events, owners | runtime)
    inside = (parent >= 0) & owners[parent]
    external = np.where(known, events.external, 0)
    adopt = runtime & ~known & inside
    external[adopt] = np.maximum(events.external[parent[adopt]], 0)
    launches = np.flatnonzero(runtime & (events.correlation > 0))
    by_key = launches[np.argsort(events.correlation[launches], kind="stable")]
    rows = np.flatnonzero(work)
    if len(by_key) and len(rows):
        keys = events.correlation[by_key]
        at = np.minimum(np.searchsorted(keys, events.correlation[rows]), len(keys) - 1)
        hit = keys[at] == events.correlation[rows]
        external[rows[hit]] = external[by_key[at[hit]]]
    return external, (runtime | work) & (external != events.external)


def _fitted(events: Events) -> tuple[Ints, tuple[Gap, ...]]:
    """Durations with which host slices nest also as the floats that the plugin adds up.

    It keys threads by tid alone, and drops an operator that ends after the one around it.
    """
    modules = events.of(("python_function",)) & events.named(
        name for name in events.names if name.startswith("nn.Module: ")
    )
    dur = events.dur.copy()
    rows = np.flatnonzero(events.of(HOST_OPS) | modules)
    rows = rows[np.argsort(events.tid[rows], kind="stable")]
    trimmed = crossing = 0
    stack: list[float] = []
    thread: int | None = None
    for row in rows.tolist():
        if events.tid[row] != thread:
            thread = int(events.tid[row])
            stack.clear()
        start, length = int(events.start[row]), int(dur[row])
        ts = start / 1000
        while stack and stack[-1] <= ts:
            stack.pop()
        over = ts + length / 1000 - stack[-1] if stack else 0.0
        if over * 1000 > _ROUNDING_NS:
            crossing += 1
            continue
        while stack and length > 0 and ts + length / 1000 > stack[-1]:
            length = max(0, length - max(1, math.ceil((ts + length / 1000 - stack[-1]) * 1000)))
        trimmed += length != dur[row]
        dur[row] = length
        stack.append(ts + length / 1000)
    gaps = []
    if trimmed:
        gaps.append(
            Gap(
                f"{trimmed:,} host slices were shortened in the TensorBoard copy",
                "by at most a microsecond, so that they end with the slice around them",
            )
        )
    if crossing:
        gaps.append(
            Gap(
                f"{crossing:,} host slices are left out by TensorBoard's operator view",
                "they cross the end of the slice around them",
            )
        )
    return dur, tuple(gaps)


def _write(found: Document, changes: _Changes, out: BinaryIO) -> None:
    encode = msgspec.json.encode
    metadata = {key: value for key, value in found.metadata.items() if key != "traceEvents"}
    head = encode(metadata)[:-1]
    out.write(head + (b"," if metadata else b"") + b'"traceEvents":[\n')
    position, first = 0, True
    for chunk in found.chunks(Repairs()):
        lines = [
            encode(event)
            for offset, raw in enumerate(chunk.events)
            for event in _rewritten(raw, position + offset, changes)
        ]
        position += len(chunk.events)
        if lines:
            out.write((b"" if first else b",\n") + b",\n".join(lines))
            first = False
    out.write(b"\n]}\n")


def _rewritten(event: RawEvent, position: int, changes: _Changes) -> Iterator[RawEvent]:
    """The event as the plugin wants it; nothing where it must not see it."""
    event.name = event.name or "(unnamed)"
    if event.ph in (_INTERVAL, _BEGIN):
        times = changes.times.get(position)
        if times is not None:
            yield _interval(event, position, times, changes)
    elif event.name == _WINDOW_END:
        low, high = changes.window_us
        if event.ts is not None and low <= event.ts <= high:
            yield event
    elif event.ph and event.ph != _END:
        yield _with_args(event)


def _interval(
    event: RawEvent, position: int, times: tuple[int, int], changes: _Changes
) -> RawEvent:
    start, dur = times
    event.ph, event.ts, event.dur = _INTERVAL, start / 1000, dur / 1000
    category = event.cat.lower()
    if category in RUNTIME:
        event.cat = _PLUGIN_RUNTIME
    elif not category or position in changes.renamed:
        event.cat = _IGNORED
    if position in changes.host and not isinstance(event.tid, int):
        event.tid = changes.host[position]
    return _with_args(event, changes.external.get(position))


def _with_args(event: RawEvent, external: int | None = None) -> RawEvent:
    """Arguments that are an object, with the external id set if one is given."""
    args = bytes(memoryview(event.args))
    if not args.startswith(b"{"):
        args = b"{}"
    if external is not None:
        field = b'"External id":%d' % external
        args, found = _EXTERNAL.subn(field, args, count=1)
        if not found:
            rest = args.strip()[1:-1].strip()
            args = b"{" + field + (b"," + rest if rest else b"") + b"}"
    event.args = msgspec.Raw(args)
    return event
