"""Chunks of events into numpy columns: times to integer nanoseconds, texts to codes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import compress
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from perfkit.io._clock import Clock
from perfkit.io._extras import MEMORY, Extras
from perfkit.io._patient import Chunk, Unsound
from perfkit.io._raw import RawEvent
from perfkit.io._repairs import Repair, Repairs
from perfkit.io.trace_shapes import ShapeCodes
from perfkit.model.events import UNKNOWN, Events, Ints

_WITHOUT_IDS = frozenset({"python_function", "trace", "overhead", "python"})
_PRESENT_SPELLING = {
    "operator": "cpu_op",
    "runtime": "cuda_runtime",
    "memcpy": "gpu_memcpy",
    "memset": "gpu_memset",
}
_OPERATORS = frozenset(("cpu_op", "operator"))
_INTERVAL, _BEGIN, _END, _INSTANT = "X", "B", "E", "i"
_OTHERS = frozenset((_BEGIN, _END, _INSTANT))


class Args(msgspec.Struct, gc=False):
    """The arguments that joins need; every other one is skipped unread."""

    correlation: int | None = UNKNOWN
    external: int | None = msgspec.field(name="External id", default=UNKNOWN)
    external_old: int | None = msgspec.field(name="external id", default=UNKNOWN)
    nbytes: int | None = msgspec.field(name="bytes", default=UNKNOWN)
    stack: str | None = msgspec.field(name="Call stack", default=None)


_decode_args = msgspec.json.Decoder(list[Args | None]).decode
_NONE = Args()


class Codes(dict[str, int]):
    """Texts numbered in the order of their first appearance."""

    def __missing__(self, text: str) -> int:
        code = self[text] = len(self)
        return code


class Columns:
    """Gathers chunks while a trace is read; `events()` is the result.

    Without `shapes` the operators' recorded arguments are left alone: a tenth of the time.
    """

    def __init__(self, repairs: Repairs, shapes: bool = True) -> None:
        self._wants_shapes = shapes
        self._repairs = repairs
        self._names, self._cats, self._stacks, self._labels = Codes(), Codes(), Codes(), Codes()
        self._parts: list[dict[str, Ints]] = []
        self._extras = Extras()
        self._shapes = ShapeCodes(repairs)
        self._seen = 0
        self._clock = Clock(repairs)
        self._numbers: dict[int | str | None, int] = {}  # of ids that are not plain numbers
        self._open: dict[tuple[Any, Any], list[tuple[int, RawEvent]]] = {}

    def add(self, chunk: Chunk) -> None:
        """Take one chunk of events, in file order."""
        events = chunk.events
        phases = [event.ph for event in events]
        chosen = bytes([phase == _INTERVAL for phase in phases])
        intervals = list(compress(events, chosen))
        is_interval = np.frombuffer(chosen, np.bool_)
        rows, rest = np.flatnonzero(is_interval), np.flatnonzero(~is_interval)
        start, dur, ok = self._clock.times(chunk, rows, intervals)
        self._add(intervals, start, dur, rows + self._seen, ok)
        others = [i for i in rest.tolist() if phases[i] in _OTHERS]
        if others:
            self._add_others(chunk, others)
        self._seen += len(events)

    def events(self, metadata: dict[str, Any]) -> Events:
        """All rows, sorted by start, the longer first where two start together."""
        unpaired = sum(len(stack) for stack in self._open.values())
        self._repairs.add(Repair.UNPAIRED, unpaired)
        parts = self._parts or [self._part([], _ints([]), _ints([]), _ints([]))]
        self._parts = []
        keys = [np.concatenate([part[key] for part in parts]) for key in ("order", "dur", "start")]
        by_start = np.lexsort((keys[0], -keys[1], keys[2]))
        del keys
        sorted_: dict[str, Any] = {
            key: np.concatenate([part.pop(key) for part in parts])[by_start]
            for key in tuple(parts[0])
        }
        categories, sorted_["cat"] = self._categories(sorted_["cat"])
        return Events(
            names=tuple(self._names),
            categories=categories,
            stacks=tuple(self._stacks),
            labels={-2 - code: label for label, code in self._labels.items()},
            metadata=metadata,
            gaps=self._repairs.gaps(),
            **sorted_,
            **self._extras.fields(sorted_["order"]),
            shapes=self._shapes.shapes(sorted_["order"]),
        )

    def _add(
        self,
        intervals: Sequence[RawEvent],
        start: Ints,
        dur: Ints,
        order: Ints,
        ok: npt.NDArray[np.bool_],
    ) -> None:
        if not ok.all():
            kept = np.flatnonzero(ok)
            intervals = [intervals[i] for i in kept.tolist()]
            start, dur, order = start[kept], dur[kept], order[kept]
        if intervals:
            part = self._part(intervals, start, dur, order)
            self._extras.add(intervals, part, self._names, self._cats)
            if self._wants_shapes:
                self._add_shapes(intervals, part)
            self._parts.append(part)

    def _add_shapes(self, intervals: Sequence[RawEvent], part: dict[str, Ints]) -> None:
        has_shapes = [category.lower() in _OPERATORS for category in self._cats]
        rows = np.flatnonzero(np.array(has_shapes, np.bool_)[part["cat"]])
        if len(rows):
            self._shapes.add([intervals[i].args for i in rows.tolist()], part["order"][rows])

    def _part(
        self, intervals: Sequence[RawEvent], start: Ints, dur: Ints, order: Ints
    ) -> dict[str, Ints]:
        names, cats, stacks = self._names, self._cats, self._stacks
        cat = _ints([cats[event.cat] for event in intervals])
        rows, args = self._args(intervals, cat)
        external = self._known([a.external for a in args])
        if (external == UNKNOWN).any():
            old = self._known([a.external_old for a in args])
            external = np.where(external == UNKNOWN, old, external)
        part = {
            "start": start,
            "dur": dur,
            "order": order,
            "name": _ints([names[event.name] for event in intervals]),
            "cat": cat,
            "pid": self._ids([event.pid for event in intervals]),
            "tid": self._ids([event.tid for event in intervals]),
        }
        told = {
            "correlation": self._known([a.correlation for a in args]),
            "external": external,
            "nbytes": self._known([a.nbytes for a in args]),
            "stack": _ints([stacks[a.stack] if a.stack else UNKNOWN for a in args]),
        }
        for key, values in told.items():
            part[key] = np.full(len(cat), UNKNOWN, np.int64)
            part[key][rows] = values
        return part

    def _add_others(self, chunk: Chunk, others: Sequence[int]) -> None:
        """Begin and end marks, and the allocator's instants; other instants are not kept."""
        marks, memory = [], []
        for i in others:
            event = chunk.events[i]
            if event.ph != _INSTANT:
                marks.append((self._seen + i, event))
            elif event.name == MEMORY:
                event.dur = 0.0
                memory.append(i)
        if marks:
            self._pair(marks)
        if memory:
            instants = [chunk.events[i] for i in memory]
            start, _, ok = self._clock.times(chunk, _ints(memory), instants)
            thread = self._ids([event.tid for event in instants])
            self._extras.add_memory(instants, start, thread, ok)

    def _pair(self, marks: Sequence[tuple[int, RawEvent]]) -> None:
        """Begin and end marks of one thread, joined to intervals."""
        found: list[tuple[int, RawEvent]] = []
        for position, event in marks:
            key = (event.pid, event.tid)
            if event.ph == _BEGIN:
                self._open.setdefault(key, []).append((position, event))
                continue
            stack = self._open.get(key)
            if not stack:
                self._repairs.add(Repair.UNPAIRED)
                continue
            order, begun = stack.pop()
            if begun.ts is not None and event.ts is not None:
                begun.dur = event.ts - begun.ts
            found.append((order, begun))
        if found:
            intervals = [event for _, event in found]
            start, dur, ok = self._clock.times(
                Chunk(intervals, None), np.arange(len(found)), intervals
            )
            self._add(intervals, start, dur, _ints([order for order, _ in found]), ok)

    def _args(self, intervals: Sequence[RawEvent], cat: Ints) -> tuple[Ints, list[Args]]:
        """The intervals whose category has ids, and their arguments."""
        with_ids = [category.lower() not in _WITHOUT_IDS for category in self._cats]
        rows = np.flatnonzero(np.array(with_ids, np.bool_)[cat])
        texts = [intervals[i].args for i in rows.tolist()]
        try:
            found = _decode_args(b"".join((b"[", b",".join(texts), b"]")))
        except Unsound:
            found = [self._odd_args(text) for text in texts]
        return rows, [_NONE if args is None else args for args in found]

    def _odd_args(self, text: msgspec.Raw) -> Args:
        try:
            fields = msgspec.json.decode(text)
            if fields is None:
                return _NONE
            wanted = {
                key: value
                for key, value in fields.items()
                if isinstance(value, str if key == "Call stack" else int)
            }
            return msgspec.convert(wanted, Args)
        except (*Unsound, AttributeError):
            self._repairs.add(Repair.ODD_ARGS)
            return _NONE

    def _ids(self, ids: Sequence[int | str | None]) -> Ints:
        """Process and thread ids; those that are texts, or out of range, as negative labels."""
        try:
            return _ints(ids)  # type: ignore[arg-type]  # tried first: most traces have numbers only
        except (TypeError, OverflowError):
            known = self._numbers
            for each in dict.fromkeys(ids):
                if each not in known:
                    known[each] = self._id(each)
            return _ints([known[each] for each in ids])

    def _id(self, value: int | str | None) -> int:
        if value is None:
            return UNKNOWN
        if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) < 19:
            return int(value)
        if isinstance(value, int) and abs(value) < 2**62:
            return value
        return -2 - self._labels[str(value)]

    def _known(self, values: Sequence[int | None]) -> Ints:
        try:
            column = _ints(values)  # type: ignore[arg-type]  # as above
        except (TypeError, OverflowError):
            numbers = [UNKNOWN if value is None else value for value in values]
            odd = sum(not -(2**63) <= number < 2**63 for number in numbers)
            self._repairs.add(Repair.ODD_ARGS, odd)
            column = _ints([n if -(2**63) <= n < 2**63 else UNKNOWN for n in numbers])
        return np.maximum(column, UNKNOWN)

    def _categories(self, column: Ints) -> tuple[tuple[str, ...], Ints]:
        """Categories in Kineto's present spelling, and the column of codes into them."""
        spelled, mapping = Codes(), []
        for category in self._cats:
            lower = category.lower()
            mapping.append(spelled[_PRESENT_SPELLING.get(lower, lower)])
        return tuple(spelled), _ints(mapping)[column] if len(column) else column


def _ints(values: Sequence[int]) -> Ints:
    """The same numbers as a column, in a third of the time that numpy's own way takes."""
    return np.frombuffer(array("q", values), np.int64)
