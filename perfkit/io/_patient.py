"""Events out of a text that does not decode as a whole: region by region, then event by event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from perfkit.io._mend import mend_event, mend_text
from perfkit.io._raw import RawEvent, decode_event, decode_events, decode_raws
from perfkit.io._repairs import Repair, Repairs

BETWEEN = re.compile(rb"\}\s*,\s*(?=\{)")
OPENING = re.compile(rb'"traceEvents"\s*:\s*\[')
Unsound = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_REGION = 1 << 18
_CLOSING = re.compile(rb"\}\s*(,?)\s*\]")
_EVENT = re.compile(rb'"ph"\s*:\s*"')
_PART = re.compile(rb'"(?:ph|ts)"\s*:')
_JOINED = 8  # pieces of one event that may be split by `}, {` inside its arguments
_LONG = 4 << 20  # bytes beyond which no further piece is joined


@dataclass(frozen=True)
class Chunk:
    """Some events in file order, and the JSON array they came from (None if it was mended)."""

    events: list[RawEvent]
    text: bytes | None


def events_of(text: bytes, repairs: Repairs) -> list[RawEvent]:
    """The events of a valid JSON array; those with odd fields one by one.

    Raises:
        Unsound: the array is not valid; nothing was counted in `repairs`.
    """
    try:
        return decode_events(text)
    except msgspec.ValidationError:
        trial = Repairs()
        found = [mend_event(memoryview(raw), trial) for raw in decode_raws(text)]
        repairs.merge(trial)
        return [event if event is not None else RawEvent() for event in found]


class Patient:
    """Reads the beginning of a window, which starts where an event should.

    Attributes:
        at: how far it came.
        ended: the list of events closed just before `at`.
    """

    def __init__(self, data: bytes, final: bool, repairs: Repairs) -> None:
        self.at = 0
        self.ended = False
        self._starved = False
        self._stops_inside = False  # the piece last tried is the beginning of an event
        self._data = data
        self._final = final
        self._repairs = repairs

    def chunks(self, limit: int) -> Iterator[Chunk]:
        """The events that start before `limit`, unless the list ends or needs more text before."""
        while self.at < limit and not self.ended and not self._starved:
            cut = BETWEEN.search(self._data, self.at + _REGION)
            end = min(cut.start() + 1 if cut else len(self._data), limit)
            text = b"".join((b"[", self._data[self.at : end], b"]"))
            try:
                yield Chunk(events_of(text, self._repairs), text)
                self.at = cut.end() if cut and end == cut.start() + 1 else end
            except Unsound:
                yield Chunk(self._salvaged(end), None)

    def _salvaged(self, end: int) -> list[RawEvent]:
        """The events of a region one by one."""
        events: list[RawEvent] = []
        while self.at < end and not self.ended and not self._starved:
            events += self._one()
        return events

    def _one(self) -> list[RawEvent]:
        """The event at `at` if it can be had; pieces between `}, {` are joined until they decode."""
        start = self.at
        for end, after in islice(self._cuts(start), _JOINED):
            if end == len(self._data) and not self._final:
                self._starved = True
                return []
            piece = self._data[start:end]
            event = self._attempt(piece)
            if event is not None:
                self.at = after
                return [event]
            stops_inside = self._stops_inside
            last = self._last(piece)
            if last is not None:
                return last
            if not stops_inside or end - start > _LONG:
                break
        end, self.at = next(self._cuts(start))
        self._repairs.note(Repair.NOT_JSON)
        if self.at == len(self._data):
            self._repairs.note(Repair.CUT)
        elif _PART.search(self._data, start, end):  # else it is the rest of a lost event
            self._repairs.add(Repair.LOST)
        return []

    def _cuts(self, start: int) -> Iterator[tuple[int, int]]:
        """(end of this piece, start of the next) for every `}, {` from `start` on, then the very end."""
        for cut in BETWEEN.finditer(self._data, start):
            yield cut.start() + 1, cut.end()
        yield len(self._data), len(self._data)

    def _attempt(self, piece: bytes) -> RawEvent | None:
        try:
            return decode_event(piece)
        except Unsound:
            pass
        try:
            trial = Repairs()
            event = mend_event(mend_text(piece.strip().strip(b","), trial), trial)
        except Unsound as error:
            self._stops_inside = "truncated" in str(error)  # msgspec has no other sign for it
            return None
        self._repairs.note(Repair.NOT_JSON)
        self._repairs.merge(trial)
        return event if event is not None else RawEvent()

    def _last(self, piece: bytes) -> list[RawEvent] | None:
        """The events before the list's end when the list ends in this piece, else None."""
        if piece.lstrip().startswith(b"]"):
            return self._end([], self.at + piece.index(b"]") + 1)
        for closing in islice(_CLOSING.finditer(piece), _JOINED):
            after = self.at + closing.end()
            event = None if self._goes_on(after) else self._attempt(piece[: closing.start() + 1])
            if event is not None:
                if closing[1]:
                    self._repairs.note(Repair.NOT_JSON)
                return self._end([event], after)
        return None

    def _goes_on(self, after: int) -> bool:
        """True when there are further events: this bracket then closed only a list inside one."""
        opening = OPENING.search(self._data, after)
        stop = opening.start() if opening else len(self._data)
        return _EVENT.search(self._data, after, stop) is not None

    def _end(self, events: list[RawEvent], after: int) -> list[RawEvent]:
        self.at, self.ended = after, True
        return events
