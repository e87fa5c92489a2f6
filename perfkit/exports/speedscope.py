"""A run or a trace as flame graphs for speedscope.app: its own JSON, which needs no conversion.

Profiles in one file: where the host waits, as calling stacks weighted by count and, where it was
observed, by time; then every thread and stream of the trace in order of time. speedscope wants slices
that nest: one that ends after the slice around it is cut there, and what was cut is told.

The format is described by the JSON schema that speedscope ships.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import numpy as np
from isal import igzip

from perfkit.analysis.sync_points import SyncPoint
from perfkit.base.files import replacing
from perfkit.model.events import DEVICE_WORK, Events, Ints
from perfkit.model.run import Gap

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_ON_DEVICE = (*DEVICE_WORK, "gpu_user_annotation")
_PYTHON = re.compile(r"(?P<file>.+)\((?P<line>\d+)\): (?P<name>.+)")
_LEVEL = 2
_BATCH = 1 << 16


@dataclass
class _Frames:
    """The frames that all profiles share, each once."""

    shared: list[dict[str, str | int]] = field(default_factory=list)
    at: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def number(self, name: str, file: str = "", line: int = 0) -> int:
        key = _valid(name), _valid(file), line
        if key not in self.at:
            self.at[key] = len(self.shared)
            place: dict[str, str | int] = {"file": key[1], "line": line} if file else {}
            self.shared.append({"name": key[0] or "(unnamed)", **place})
        return self.at[key]

    def of_event(self, name: str) -> int:
        """The frame of a slice; Python's functions carry file and line in their names."""
        match = _PYTHON.fullmatch(name)
        if match is None or len(match["line"]) > 9:
            return self.number(name)
        return self.number(match["name"], match["file"], int(match["line"]))


def speedscope(
    name: str, events: Events | None, points: Sequence[SyncPoint], target: Path
) -> tuple[Gap, ...]:
    """Write the file; compressed where its name ends in .gz. Returns what was cut.

    Args:
        name: of the run.
        events: its trace; None where there is none.
        points: the sync points of its steady steps.

    Raises:
        PerfkitError: the file cannot be written.
    """
    with replacing(target) as temporary, _opened(temporary, target) as stream:
        cut = _write(stream, name, events, points)
    if not cut:
        return ()
    what = f"{cut:,} slices end earlier in speedscope's file than in the trace"
    return (Gap(what, "they crossed the end of the slice around them"),)


def _opened(temporary: Path, target: Path) -> BinaryIO:
    if target.name.endswith(".gz"):
        return cast(BinaryIO, igzip.open(temporary, "wb", compresslevel=_LEVEL))
    return temporary.open("wb")


def _write(stream: BinaryIO, name: str, events: Events | None, points: Sequence[SyncPoint]) -> int:
    """The document piece by piece, the frames last; how many slices were cut."""
    frames, cut = _Frames(), 0
    head = {"$schema": _SCHEMA, "exporter": "perfkit", "name": _valid(name)}
    head_text = msgspec.json.encode({**head, "activeProfileIndex": 0})
    stream.write(head_text[:-1] + b',"profiles":[')
    between = b""
    for profile in _waits(points, frames):
        stream.write(between + msgspec.json.encode(profile))
        between = b","
    for title, rows in _lanes(events) if events is not None else ():
        assert events is not None
        stream.write(between)
        cut += _evented(stream, title, _Slices(events, rows), frames)
        between = b","
    stream.write(b'],"shared":' + msgspec.json.encode({"frames": frames.shared}) + b"}")
    return cut


def _waits(points: Sequence[SyncPoint], frames: _Frames) -> list[dict[str, Any]]:
    """Calling stacks of the sync points: how often, and how long where that was observed."""
    stacks = [_stack(point, frames) for point in points]
    made = [
        _sampled(
            "host waits and copies: times per step", "none", stacks, [p.per_step for p in points]
        )
    ]
    for title, times in (
        ("host waits and copies: host waited, per step", [p.blocked_ns for p in points]),
        ("host waits and copies: device idle, per step", [p.idle_ns for p in points]),
    ):
        if any(times):
            made.append(_sampled(title, "nanoseconds", stacks, [time or 0 for time in times]))
    return [each for each in made if each["samples"]]


def _stack(point: SyncPoint, frames: _Frames) -> list[int]:
    """From the outermost frame to the operator that waits."""
    calls = [frames.number(f.function, f.file, f.line) for f in reversed(point.stack)]
    backward = " in backward" if point.phase == "backward" else ""
    return [*calls, frames.number(f"{point.op} ({point.kind}){backward}")]


def _sampled(
    title: str, unit: str, stacks: Sequence[list[int]], weights: Sequence[float]
) -> dict[str, Any]:
    return {
        "type": "sampled",
        "name": title,
        "unit": unit,
        "startValue": 0,
        "endValue": sum(weights),
        "samples": list(stacks),
        "weights": list(weights),
    }


def _lanes(events: Events) -> list[tuple[str, Ints]]:
    """Every thread and stream with its rows in order of time, the host's busiest first."""
    if not len(events):
        return []
    pairs = np.stack([events.pid, events.tid], axis=1)
    found, lane_of = np.unique(pairs, axis=0, return_inverse=True)
    lane_of = lane_of.reshape(-1)
    device = events.of(_ON_DEVICE)
    lanes = []
    for lane, (pid, tid) in enumerate(found.tolist()):
        rows: Ints = np.flatnonzero(lane_of == lane)
        on_device = bool(device[rows].any())
        who, what = ("device", "stream") if on_device else ("process", "thread")
        title = f"{who} {_label(events, pid)}, {what} {_label(events, tid)}"
        lanes.append(((on_device, -len(rows)), title, rows))
    return [(title, rows) for _, title, rows in sorted(lanes, key=lambda lane: lane[:2])]


def _label(events: Events, number: int) -> str:
    return _valid(events.labels.get(number, str(number)))


def _valid(text: str) -> str:
    """Lone surrogates, which no JSON may hold, are question marks."""
    return text if text.isascii() else text.encode(errors="replace").decode()


@dataclass(frozen=True)
class _Slices:
    """The slices of one lane in order; times from the trace's first event, ns."""

    events: Events
    rows: Ints

    @property
    def first_ns(self) -> int:
        return int(self.events.start[self.rows[0]] - self.events.start[0])

    def names(self) -> list[int]:
        """Codes of the names that occur."""
        codes: list[int] = np.unique(self.events.name[self.rows]).tolist()
        return codes

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        """(start, end, code of the name), some thousand at a time."""
        zero = int(self.events.start[0])
        for low in range(0, len(self.rows), _BATCH):
            rows = self.rows[low : low + _BATCH]
            starts = self.events.start[rows] - zero
            ends = starts + self.events.dur[rows]
            names = self.events.name[rows]
            yield list(zip(starts.tolist(), ends.tolist(), names.tolist(), strict=True))


def _evented(stream: BinaryIO, title: str, slices: _Slices, frames: _Frames) -> int:
    """Write one lane as openings and closings that nest; how many slices had to be cut."""
    numbers = {code: frames.of_event(slices.events.names[code]) for code in slices.names()}
    head = {"type": "evented", "name": title, "unit": "nanoseconds", "startValue": slices.first_ns}
    stream.write(msgspec.json.encode(head)[:-1] + b',"events":[')
    around: list[tuple[int, int]] = []
    marks: list[bytes] = []
    cut, last, between = 0, slices.first_ns, b""

    def close(until: int | None) -> None:
        nonlocal last
        while around and (until is None or around[-1][0] <= until):
            last, frame = around.pop()
            marks.append(b'{"type":"C","at":%d,"frame":%d}' % (last, frame))

    for batch in slices:
        for start, end, name in batch:
            close(start)
            if around and end > around[-1][0]:
                end, cut = around[-1][0], cut + 1
            marks.append(b'{"type":"O","at":%d,"frame":%d}' % (start, numbers[name]))
            around.append((end, numbers[name]))
        stream.write(between + b",".join(marks))
        marks.clear()
        between = b","
    close(None)
    stream.write(between + b",".join(marks) + b'],"endValue":%d}' % last)
    return cut
