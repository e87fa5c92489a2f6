"""Chunks of events into numpy columns: times to integer nanoseconds, texts to codes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from perfkit.io._extras import MEMORY, Extras
from perfkit.io._patient import Chunk, Unsound
from perfkit.io._raw import RawEvent, decode_times
from perfkit.io._repairs import Repair, Repairs
from perfkit.model.events import UNKNOWN, Events, Ints

_EXACT_US = 2**53 / 1000  # above this a float of microseconds has no room for nanoseconds
_ABSURD_US = 9e15 / 1000 * 512  # 146 years: int64 nanoseconds hold twice as much
_WITHOUT_IDS = frozenset({"python_function", "trace", "overhead", "python"})
_PRESENT_SPELLING = {
    "operator": "cpu_op",
    "runtime": "cuda_runtime",
    "memcpy": "gpu_memcpy",
    "memset": "gpu_memset",
}
_INTERVAL, _BEGIN, _END, _INSTANT = "X", "B", "E", "i"
_OTHERS = frozenset((_BEGIN, _END, _INSTANT))


class Args(msgspec.Struct, gc=False):
    """The arguments that joins need; every other one is skipped unread."""

    correlation: int | None = None
    external: int | None = msgspec.field(name="External id", default=None)
    external_old: int | None = msgspec.field(name="external id", default=None)
    nbytes: int | None = msgspec.field(name="bytes", default=None)
    stack: str | None = msgspec.field(name="Call stack", default=None)


_decode_args = msgspec.json.Decoder(list[Args | None]).decode
_decode_decimal = msgspec.json.Decoder(Decimal).decode
_NONE = Args()


class Codes(dict[str, int]):
    """Texts numbered in the order of their first appearance."""

    def __missing__(self, text: str) -> int:
        code = self[text] = len(self)
        return code


class Columns:
    """Gathers chunks while a trace is read; `events()` is the result."""

    def __init__(self, repairs: Repairs) -> None:
        self._repairs = repairs
        self._names, self._cats, self._stacks, self._labels = Codes(), Codes(), Codes(), Codes()
        self._parts: list[dict[str, Ints]] = []
        self._extras = Extras()
        self._seen = 0
        self._in_ns: bool | None = None  # decided by the first events
        self._open: dict[tuple[Any, Any], list[tuple[int, RawEvent]]] = {}

    def add(self, chunk: Chunk) -> None:
        """Take one chunk of events, in file order."""
        events = chunk.events
        phases = [event.ph for event in events]
        rows = [i for i, phase in enumerate(phases) if phase == _INTERVAL]
        intervals = [events[i] for i in rows]
        start, dur, ok = self._times(chunk, rows, intervals)
        self._add(intervals, start, dur, np.array(rows, np.int64) + self._seen, ok)
        others = [i for i, phase in enumerate(phases) if phase in _OTHERS]
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
            self._parts.append(part)

    def _part(
        self, intervals: Sequence[RawEvent], start: Ints, dur: Ints, order: Ints
    ) -> dict[str, Ints]:
        names, cats, stacks = self._names, self._cats, self._stacks
        cat = _ints([cats[event.cat] for event in intervals])
        rows, args = self._args(intervals, cat)
        externals = [a.external if a.external is not None else a.external_old for a in args]
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
            "external": self._known(externals),
            "nbytes": self._known([a.nbytes for a in args]),
            "stack": _ints([stacks[a.stack] if a.stack else UNKNOWN for a in args]),
        }
        for key, values in told.items():
            part[key] = np.full(len(cat), UNKNOWN, np.int64)
            part[key][rows] = values
        return part

    def _times(
        self, chunk: Chunk, rows: Sequence[int], intervals: Sequence[RawEvent]
    ) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
        """Start and duration in ns, and which rows have usable ones."""
        start_us = np.array([event.ts for event in intervals], np.float64)
        dur_us = np.array([event.dur for event in intervals], np.float64)
        if self._in_ns is None and intervals:
            self._in_ns = _are_ns(start_us)
            self._repairs.add(Repair.NANOSECONDS, int(self._in_ns))
        if self._in_ns:
            start_us /= 1000
            dur_us /= 1000
        ok = self._plausible(start_us, dur_us)
        start, dur = _ns(np.where(ok, start_us, 0.0)), _ns(np.where(ok, dur_us, 0.0))
        coarse = ok & (np.abs(start_us) > _EXACT_US) & ((start_us % 1 != 0) | bool(self._in_ns))
        if coarse.any():
            self._sharpen(chunk, rows, start, coarse)
        return start, dur, ok

    def _plausible(
        self, start_us: npt.NDArray[np.float64], dur_us: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Which rows have usable times; missing and negative durations become 0 in place."""
        started = ~np.isnan(start_us)
        self._repairs.add(Repair.NO_START, int((~started).sum()))
        self._repairs.add(Repair.NO_DURATION, int(np.isnan(dur_us).sum()))
        self._repairs.add(Repair.NEGATIVE, int((dur_us < 0).sum()))
        dur_us[np.isnan(dur_us) | (dur_us < 0)] = 0.0
        sane: npt.NDArray[np.bool_] = (np.abs(start_us) < _ABSURD_US) & (dur_us < _ABSURD_US)
        self._repairs.add(Repair.ABSURD, int((started & ~sane).sum()))
        return sane

    def _sharpen(
        self, chunk: Chunk, rows: Sequence[int], start: Ints, coarse: npt.NDArray[np.bool_]
    ) -> None:
        """Put back the digits of start times that a float lost, in place."""
        try:
            times = decode_times(chunk.text) if chunk.text is not None else None
        except Unsound:
            times = None
        if times is None:
            self._repairs.add(Repair.INEXACT, int(coarse.sum()))
            return
        digits = 0 if self._in_ns else 3
        chosen = np.flatnonzero(coarse)
        start[chosen] = [
            _scaled(bytes(times[rows[i]].ts), digits, rough)
            for i, rough in zip(chosen.tolist(), start[chosen].tolist(), strict=True)
        ]

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
            start, _, ok = self._times(chunk, memory, instants)
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
            start, dur, ok = self._times(Chunk(intervals, None), range(len(found)), intervals)
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
            return np.array(ids, np.int64)
        except (TypeError, ValueError, OverflowError):
            return _ints([self._id(each) for each in ids])

    def _id(self, value: int | str | None) -> int:
        if value is None:
            return UNKNOWN
        if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) < 19:
            return int(value)
        if isinstance(value, int) and abs(value) < 2**62:
            return value
        return -2 - self._labels[str(value)]

    def _known(self, values: Sequence[int | None]) -> Ints:
        numbers = [UNKNOWN if value is None else value for value in values]
        try:
            column = np.array(numbers, np.int64)
        except OverflowError:
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
    return np.array(values, np.int64)


def _scaled(number: bytes, digits: int, rough: int) -> int:
    """A JSON number times 10^digits, rounded, without floats; `rough` where it is no plain number."""
    whole, _, fraction = number.partition(b".")
    if len(fraction) <= digits and whole.isdigit() and (fraction.isdigit() or not fraction):
        return int(whole + fraction.ljust(digits, b"0"))
    try:
        return round(_decode_decimal(number).scaleb(digits))
    except Unsound:
        return rough


def _are_ns(start: npt.NDArray[np.float64]) -> bool:
    """True when times are nanoseconds: as microseconds most of them would lie centuries away."""
    size = np.abs(start[~np.isnan(start)])
    return len(size) > 0 and bool(((size >= _ABSURD_US) & (size < 2.0**63)).mean() > 0.5)


def _ns(microseconds: npt.NDArray[np.float64]) -> Ints:
    """Nanoseconds; whole microseconds and their fraction apart, so that large clocks stay exact."""
    whole = np.floor(microseconds)
    fraction = np.rint((microseconds - whole) * 1000)
    result: Ints = whole.astype(np.int64) * 1000 + fraction.astype(np.int64)
    return result
