"""A trace's text as chunks of events: memory holds one chunk of objects at a time.

A sound trace is validated once as a whole, then decoded some megabytes at a time: a cut between
two `}, {` that lies inside an event cannot decode, so a chunk that decodes ends where an event
ends. An unsound one is mended region by region, and only damaged regions pay for it.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from perfkit.base.errors import PerfkitError
from perfkit.io._mend import mend_event, mend_text
from perfkit.io._raw import RawEvent, decode_event, decode_events, decode_fields, decode_raws
from perfkit.io._repairs import Repair, Repairs

_CHUNK = 4 << 20
_REGION = 1 << 18
_BETWEEN = re.compile(rb"\}\s*,\s*(?=\{)")
_CLOSING = re.compile(rb"\}\s*,?\s*\]")
_OPENING = re.compile(rb'"traceEvents"\s*:\s*\[')
_BASE = re.compile(rb'"baseTimeNanoseconds"\s*:\s*(-?\d{1,19})')
_JOINED = 8  # pieces of one event that may be split by `}, {` inside its arguments

Unsound = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class Chunk:
    """Some events in file order, and the JSON array they came from (None if it was mended)."""

    events: list[RawEvent]
    text: bytes | None


@dataclass(frozen=True)
class Document:
    """A trace's text: its list of events still undecoded, and its other fields.

    `sound` says that `events` is one valid JSON array; otherwise it is whatever follows the
    opening bracket.
    """

    events: memoryview
    metadata: dict[str, Any]
    sound: bool

    def chunks(self, repairs: Repairs) -> Iterator[Chunk]:
        """The events, some megabytes at a time."""
        return _sound(self.events, repairs) if self.sound else _unsound(self.events, repairs)


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection inside: it costs half of any approach that makes many objects."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def document(text: bytes, name: str, repairs: Repairs) -> Document:
    """Find the list of events in a trace's text.

    Raises:
        PerfkitError: there is none; `name` names the file in the message.
    """
    if text.lstrip()[:1] == b"[":
        return _list_document(text, repairs)
    try:
        fields = decode_fields(text)
    except Unsound:
        return _broken_document(text, name, repairs)
    events = memoryview(fields.pop("traceEvents", b""))
    if bytes(events[:1]) != b"[":
        raise PerfkitError(
            f"{name} holds no list of events", "give a trace written by torch.profiler"
        )
    return Document(events, {key: msgspec.json.decode(raw) for key, raw in fields.items()}, True)


def _list_document(text: bytes, repairs: Repairs) -> Document:
    """A trace that is only the list, as Chrome itself also accepts."""
    try:
        decode_raws(text)
    except Unsound:
        repairs.add(Repair.NOT_JSON)
        return Document(memoryview(text.lstrip())[1:], {}, False)
    return Document(memoryview(text.strip()), {}, True)


def _broken_document(text: bytes, name: str, repairs: Repairs) -> Document:
    opening = _OPENING.search(text)
    if opening is None:
        raise PerfkitError(
            f"{name} is not a trace: neither valid JSON nor a list of events",
            "give a trace written by torch.profiler",
        )
    repairs.add(Repair.NOT_JSON)
    try:
        head = text[: opening.start()] + b'"traceEvents":null}'
        metadata = {key: msgspec.json.decode(raw) for key, raw in decode_fields(head).items()}
        del metadata["traceEvents"]
    except Unsound:
        metadata = {}
    base = _BASE.search(text, max(0, len(text) - 4096))
    if base is not None:
        metadata["baseTimeNanoseconds"] = int(base[1])
    return Document(memoryview(text)[opening.end() :], metadata, False)


def _sound(array: memoryview, repairs: Repairs) -> Iterator[Chunk]:
    start, stop = 1, len(array) - 1
    while start < stop:
        reach = _CHUNK
        while True:
            cut = _BETWEEN.search(array, start + reach)
            end = cut.start() + 1 if cut else stop
            text = b"".join((b"[", array[start:end], b"]"))
            try:
                events = _events(text, repairs)
                break
            except Unsound:
                if cut is None:
                    raise
                reach *= 2
        yield Chunk(events, text)
        start = cut.end() if cut else stop


def _events(text: bytes, repairs: Repairs) -> list[RawEvent]:
    """The events of a valid array; those with odd fields one by one."""
    try:
        return decode_events(text)
    except msgspec.ValidationError:
        found = (mend_event(memoryview(raw), repairs) for raw in decode_raws(text))
        return [event if event is not None else RawEvent() for event in found]


def _unsound(rest: memoryview, repairs: Repairs) -> Iterator[Chunk]:
    start: int | None = 0
    while start is not None and start < len(rest):
        cut = _BETWEEN.search(rest, start + _REGION)
        end = cut.start() + 1 if cut else len(rest)
        text = b"".join((b"[", rest[start:end], b"]"))
        try:
            yield Chunk(_events(text, Repairs()), None)
            start = cut.end() if cut else len(rest)
            if cut is None:
                repairs.add(Repair.CUT)
        except Unsound:
            events, start = _salvage(rest, start, end, repairs)
            yield Chunk(events, None)


def _salvage(
    rest: memoryview, start: int, limit: int, repairs: Repairs
) -> tuple[list[RawEvent], int | None]:
    """Events of a damaged region one by one, and where to go on (None: the list has ended)."""
    events: list[RawEvent] = []
    while start < limit:
        found, start, ended = _one(rest, start, repairs)
        events += found
        if ended:
            return events, None
    return events, start


def _one(rest: memoryview, start: int, repairs: Repairs) -> tuple[list[RawEvent], int, bool]:
    """The event at `start` if it can be had, where the next one starts, and whether the list ended.

    Pieces between `}, {` are joined until they decode, as arguments may hold lists of objects.
    """
    for end, after in islice(_cuts(rest, start), _JOINED):
        piece = bytes(rest[start:end])
        event = _attempt(piece, repairs)
        if event is not None:
            return [event], after, False
        last = _last(piece, repairs)
        if last is not None:
            return last, len(rest), True
        if end - start > _CHUNK:
            break
    _, after = next(_cuts(rest, start))
    repairs.add(Repair.CUT if after == len(rest) else Repair.LOST)
    return [], after, False


def _cuts(rest: memoryview, start: int) -> Iterator[tuple[int, int]]:
    """(end of this piece, start of the next) for every `}, {` from `start` on, then the very end."""
    for cut in _BETWEEN.finditer(rest, start):
        yield cut.start() + 1, cut.end()
    yield len(rest), len(rest)


def _attempt(piece: bytes, repairs: Repairs) -> RawEvent | None:
    try:
        return decode_event(piece)
    except Unsound:
        pass
    try:
        trial = Repairs()
        event = mend_event(mend_text(piece.strip().strip(b","), trial), trial)
    except Unsound:
        return None
    repairs.merge(trial)
    return event if event is not None else RawEvent()


def _last(piece: bytes, repairs: Repairs) -> list[RawEvent] | None:
    """The events before the list's end when the list ends in this piece, else None."""
    if piece.lstrip().startswith(b"]"):
        return []
    for closing in islice(_CLOSING.finditer(piece), _JOINED):
        event = _attempt(piece[: closing.start() + 1], repairs)
        if event is not None:
            return [event]
    return None
