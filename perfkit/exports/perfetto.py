"""A trace with further tracks on top, for ui.perfetto.dev and chrome://tracing.

Perfetto drops a slice that crosses the end of the one around it on the same track. Such slices are
shortened where they cross by no more than a rounding, and else move to a row of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from perfkit.exports._rows import ROUNDING_NS, Rows, crossings
from perfkit.io._raw import RawEvent
from perfkit.io.trace_writer import us, write_trace
from perfkit.model.events import UNKNOWN, Events
from perfkit.model.run import Gap

_FIRST_ID = 1_900_000_000  # far above real processes and threads, below what 32 bits hold
_EXACT_NS = 2**53
_INTERVALS, _END = ("X", "B"), "E"
_TIMELESS = "M"
_BATCH = 1 << 16


@dataclass(frozen=True)
class Slice:
    """One slice of an added track: `[start_ns, start_ns + dur_ns)` on the trace's clock."""

    name: str
    start_ns: int
    dur_ns: int
    args: Mapping[str, str | int | float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """An added track; its slices come in order of their start."""

    name: str
    slices: Iterable[Slice]


@dataclass(frozen=True)
class Counter:
    """An added counter track: (ns, value) pairs in order, each value holding until the next."""

    name: str
    values: Iterable[tuple[int, float]]


def perfetto(
    src: Path | str,
    events: Events,
    dst: Path,
    tracks: Iterable[Track] = (),
    counters: Iterable[Counter] = (),
) -> tuple[Gap, ...]:
    """Write the trace `src`, whose intervals are `events`, with the added tracks as `dst`.

    Compressed where the name of `dst` ends in .gz; Perfetto opens both. Returns what was moved.

    Raises:
        PerfkitError: `src` is no trace, or `dst` cannot be written.
        ValueError: the slices of an added track are not in order.
    """
    base = _Base(events)
    write_trace(src, dst, base.changed, base.metadata, base.further(tracks, counters), base.times)
    return base.gaps()


class _Base:
    """What becomes of the trace's own events."""

    def __init__(self, events: Events) -> None:
        starts = events.start
        first = int(starts[0]) if len(starts) else 0
        # Doubles, in which Perfetto's page computes, hold 104 days of nanoseconds exactly.
        self._shift = first if len(starts) and int(events.end.max()) > _EXACT_NS else 0
        self._start, self._dur = starts - self._shift, events.dur.copy()
        self._row = np.full(int(events.order.max()) + 1 if len(starts) else 0, UNKNOWN, np.int64)
        self._row[events.order] = np.arange(len(starts))
        self._moved: dict[int, int] = {}
        self._rows: list[tuple[int, int, int]] = []
        self._shortened = 0
        self._used = set(np.unique(events.pid).tolist()) | set(np.unique(events.tid).tolist())
        self._fresh = (number for number in count(_FIRST_ID) if number not in self._used)
        self._in_ns: bool | None = None
        self._place(events)

    def changed(self, event: RawEvent, position: int) -> RawEvent | None:
        """The event as Perfetto is to see it, None where it has no usable time."""
        if event.ph in _INTERVALS:
            return self._interval(event, position)
        if event.ph == _TIMELESS:
            return event
        if event.ts is None or event.ph in ("", _END):
            return None
        if self._in_ns:
            event.ts /= 1000
        event.ts -= self._shift / 1000
        return event

    def metadata(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The trace's other fields, with the time at which its clock now begins."""
        kept = dict(fields)
        if self._shift:
            base = kept.get("baseTimeNanoseconds")
            kept["baseTimeNanoseconds"] = (base if isinstance(base, int) else 0) + self._shift
        return kept

    def further(self, tracks: Iterable[Track], counters: Iterable[Counter]) -> Iterator[bytes]:
        """The added events, encoded; the rows that overlapping slices moved to among them."""
        for pid, tid, row in self._rows:
            yield _named("thread_name", pid, row, name=f"overlapping on {tid}")
            yield _named("thread_sort_index", pid, row, sort_index=tid)
        process = next(self._fresh)
        yield _named("process_name", process, 0, name="perfkit")
        yield _named("process_sort_index", process, 0, sort_index=-1)
        for counter in counters:
            for at, value in counter.values:
                yield _counted(counter.name, process, at - self._shift, value)
        order = count(1)
        for track in tracks:
            yield from self._slices(track, process, order)

    def gaps(self) -> tuple[Gap, ...]:
        """What is no longer where the trace had it."""
        found = []
        if self._shortened:
            what = f"{self._shortened:,} slices end up to a microsecond earlier in the overlay"
            found.append(Gap(what, "they crossed the end of the slice around them"))
        if self._moved:
            what = f"{len(self._moved):,} slices are on rows of their own in the overlay"
            found.append(Gap(what, "they overlap others of the same thread or stream"))
        return tuple(found)

    def times(self, position: int) -> tuple[int, int] | None:
        """Start and duration in the overlay of the interval at this position in the file."""
        row = int(self._row[position]) if position < len(self._row) else UNKNOWN
        return None if row < 0 else (int(self._start[row]), int(self._dur[row]))

    def _place(self, events: Events) -> None:
        tracks: dict[tuple[int, int], Rows] = defaultdict(Rows)
        ids: dict[tuple[int, int, int], int] = {}
        for at, pid, tid, start, dur in _in_batches(events):
            row, end = tracks[pid, tid].place(start, start + dur, ROUNDING_NS)
            if end - start != dur:
                self._shortened += 1
                self._dur[at] = end - start
            if row:
                if (pid, tid, row) not in ids:
                    ids[pid, tid, row] = next(self._fresh)
                    if pid >= 0:
                        self._rows.append((pid, tid, ids[pid, tid, row]))
                self._moved[int(events.order[at])] = ids[pid, tid, row]

    def _interval(self, event: RawEvent, position: int) -> RawEvent | None:
        times = self.times(position)
        if times is None or event.ts is None:
            return None
        if self._in_ns is None:
            start = times[0] + self._shift
            self._in_ns = abs(event.ts - start) < abs(event.ts - start / 1000)
        event.ph = _INTERVALS[0]
        event.name = event.name or "(unnamed)"
        event.tid = self._moved.get(position, event.tid)
        return event

    def _slices(self, track: Track, process: int, order: Iterator[int]) -> Iterator[bytes]:
        rows, ids, last = Rows(), list[int](), None
        for each in track.slices:
            if last is not None and each.start_ns < last:
                raise ValueError(f"the slices of {track.name!r} are not in order")
            last = each.start_ns
            row, _ = rows.place(last, last + each.dur_ns)
            while row >= len(ids):
                ids.append(next(self._fresh))
                name = track.name if len(ids) == 1 else f"{track.name} ({len(ids)})"
                yield _named("thread_name", process, ids[-1], name=name)
                yield _named("thread_sort_index", process, ids[-1], sort_index=next(order))
            yield _sliced(each, process, ids[row], last - self._shift)


def problems(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """What Perfetto would drop or refuse among these decoded events, empty where all is well."""
    found: list[str] = []
    tracks: dict[tuple[object, object], list[tuple[int, int]]] = defaultdict(list)
    opened: dict[tuple[object, object], int] = defaultdict(int)
    for event in events:
        phase, track = event.get("ph"), (event.get("pid"), event.get("tid"))
        if not isinstance(event.get("name", ""), str):
            found.append(f"a name that is no text: {event.get('name')!r}")
        if phase != _TIMELESS and not isinstance(event.get("ts"), (int, float)):
            found.append(f"an event without a time: {event.get('name')!r}")
        elif phase == "X":
            start, dur = round(event["ts"] * 1000), event.get("dur")
            if isinstance(dur, (int, float)) and dur >= 0:
                tracks[track].append((start, start + round(dur * 1000)))
            else:
                found.append(f"a slice without a duration: {event.get('name')!r}")
        elif phase in ("B", "E"):
            opened[track] += 1 if phase == "B" else -1
        elif phase == "C":
            values = (event.get("args") or {}).values()
            if not values or not all(isinstance(value, (int, float)) for value in values):
                found.append(f"a counter without a number: {event.get('name')!r}")
    for track, slices in tracks.items():
        if crossing := crossings(slices):
            found.append(f"{crossing} slices cross others on track {track}")
    found += [f"begin and end marks do not pair on track {t}" for t, n in opened.items() if n]
    return found


def _in_batches(events: Events) -> Iterator[tuple[int, ...]]:
    """(row, pid, tid, start, duration) of every interval, some thousand objects at a time."""
    columns = (events.pid, events.tid, events.start, events.dur)
    for low in range(0, len(events), _BATCH):
        part = (column[low : low + _BATCH].tolist() for column in columns)
        yield from zip(count(low), *part)


def _named(kind: str, pid: int, tid: int, **args: str | int) -> bytes:
    event = {"ph": "M", "name": kind, "pid": pid, "tid": tid, "ts": 0, "args": args}
    return msgspec.json.encode(event)


def _counted(name: str, pid: int, at_ns: int, value: float) -> bytes:
    event = {"ph": "C", "name": name, "pid": pid, "tid": 0, "ts": msgspec.Raw(us(at_ns))}
    return msgspec.json.encode({**event, "args": {"value": value}})


def _sliced(each: Slice, pid: int, tid: int, start_ns: int) -> bytes:
    event = {"ph": "X", "cat": "perfkit", "name": each.name or "(unnamed)", "pid": pid, "tid": tid}
    times = {"ts": msgspec.Raw(us(start_ns)), "dur": msgspec.Raw(us(each.dur_ns))}
    args = {key: value for key, value in each.args.items() if value is not None}
    return msgspec.json.encode({**event, **times, "args": args})
