"""Python frames of a trace: from `python_function` intervals, or from "Call stack" texts of operators.

A `python_function` frame bears the line of its `def`, a "Call stack" frame the line of the statement.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator

import numpy as np

from perfkit.model.events import HOST_OPS, UNKNOWN, Events, Ints
from perfkit.model.syncs import Frame

PYTHON = ("python_function",)
_BLOCK = 256
_FRAME = re.compile(r"^(?P<file>[^<>]*?)\((?P<line>\d{1,9})\): (?P<function>.+)$")


def user_frames(texts: Iterable[str]) -> Iterator[Frame]:
    """Frames of user code among Kineto's texts `file(line): function`, order kept."""
    for text in texts:
        match = _FRAME.match(text.strip())
        if match is None or _is_machinery(match["file"]):
            continue
        yield Frame(match["file"], int(match["line"]), match["function"])


class Around:
    """What encloses single rows. Each question costs some microseconds: ask for thousands of rows."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._frames = _Blocks(events, np.flatnonzero(events.of(PYTHON)))
        self._ops = _Blocks(events, np.flatnonzero(events.of(HOST_OPS)))

    def frames(self, row: int) -> tuple[Frame, ...]:
        """User frames around a host row, innermost first; empty where the trace has none."""
        for op in self._enclosing(self._ops, row):
            text = self._events.stack_of(op)
            if text:
                return tuple(user_frames(text.split(";")))
        names = (self._events.name_of(frame) for frame in self._enclosing(self._frames, row))
        return tuple(user_frames(names))

    def outermost_op(self, row: int) -> str | None:
        """The outermost operator around a host row, or the row itself; None where there is none."""
        ops = self._enclosing(self._ops, row)
        return self._events.name_of(ops[-1]) if ops else None

    def _enclosing(self, among: _Blocks, row: int) -> list[int]:
        """Rows of `among` that contain `row`, itself included, innermost first."""
        events = self._events
        if row == UNKNOWN:
            return []
        start = int(events.start[row])
        around = among.around(start, start + int(events.dur[row]))
        same = (events.tid[around] == events.tid[row]) & (events.pid[around] == events.pid[row])
        found: list[int] = around[same][::-1].tolist()
        return found


class _Blocks:
    """Rows in blocks, each with its latest end: a block that ends too early is passed over whole."""

    def __init__(self, events: Events, rows: Ints) -> None:
        self._rows = rows
        self._start, self._end = events.start[rows], events.end[rows]
        firsts = np.arange(0, len(rows), _BLOCK)
        self._latest = np.maximum.reduceat(self._end, firsts) if len(rows) else self._end

    def around(self, start: int, end: int) -> Ints:
        """The rows, on whatever thread, that contain this time."""
        count = int(np.searchsorted(self._start, start, side="right"))
        blocks = np.flatnonzero(self._latest[: -(-count // _BLOCK)] >= end)
        at = (blocks[:, None] * _BLOCK + np.arange(_BLOCK)).ravel()
        at = at[at < count]
        found: Ints = self._rows[at[self._end[at] >= end]]
        return found


def _is_machinery(file: str) -> bool:
    """torch's and the standard library's files, which Kineto writes relative to their folders."""
    if file.startswith("torch/") or "/site-packages/torch/" in file:
        return True
    top = file.split("/", 1)[0].removesuffix(".py")
    return not file.startswith("/") and top in sys.stdlib_module_names
