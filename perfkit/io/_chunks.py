"""A trace's text as chunks of events: memory holds a window of text and one chunk of objects.

The text is cut between two `}, {`. A cut that lies inside an event cannot decode, so a chunk that
decodes ends where an event ends. One that does not is read by `_patient`, and only damaged regions
pay for it.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from perfkit.base.errors import PerfkitError
from perfkit.io._mend import mend_text
from perfkit.io._patient import BETWEEN, OPENING, Chunk, Patient, Unsound, events_of
from perfkit.io._raw import decode_fields, decode_raws
from perfkit.io._repairs import Repair, Repairs
from perfkit.io._text import Progress, blocks
from perfkit.io._window import Window

BUDGET = 64 << 20
"""Bytes of text that may be held at once: an event longer than that is lost, and told."""

_CHUNK = 1 << 19  # its events stay in the cache of a processor while they turn into columns
_AHEAD = 8  # chunks that are cut from one window
_LISTS = 8  # lists of events that are joined: more are no trace, and each costs a search
_FILLER = ""  # a key that stands in for what was cut off
_CLOSED = b'"":null}'
_BASE = re.compile(rb'"baseTimeNanoseconds"\s*:\s*(-?\d{1,19})')
_HINT = "give a trace written by torch.profiler"


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


class Document:
    """A trace that can be read again and again, each time from its source.

    Attributes:
        metadata: its fields other than the list of events, known when `chunks` has ended.
    """

    def __init__(
        self, source: Path | str, budget: int = BUDGET, progress: Progress | None = None
    ) -> None:
        self.metadata: dict[str, Any] = {}
        self._source = source
        self._budget = budget
        self._progress = progress

    def chunks(self, repairs: Repairs) -> Iterator[Chunk]:
        """The events, some megabytes of text at a time.

        Raises:
            PerfkitError: unreadable, or no trace.
        """
        text = blocks(self._source, repairs, self._progress)
        found = _Pass(str(self._source), Window(text, self._budget), repairs)
        yield from found.chunks()
        self.metadata = found.metadata


class _Pass:
    """One reading of a document from front to back."""

    def __init__(self, name: str, window: Window, repairs: Repairs) -> None:
        self.metadata: dict[str, Any] = {}
        self._name = name
        self._window = window
        self._repairs = repairs
        self._prefix = b'{"traceEvents":['

    def chunks(self) -> Iterator[Chunk]:
        self._head()
        for _ in range(_LISTS):
            yield from self._events()
            if not self._tail():
                return
        self._repairs.note(Repair.CUT)

    def _head(self) -> None:
        """Go to the first event."""
        window = self._window
        window.fill(_CHUNK)
        if window.data.lstrip()[:1] == b"[":
            self._prefix = b"["
            window.drop(window.data.index(b"[") + 1)
            return
        while (opening := OPENING.search(window.data)) is None:
            if not window.grow():
                raise self._no_trace(window.data)
        self._fields(window.data[: opening.start()] + b'"traceEvents":null}')
        window.drop(opening.end())

    def _no_trace(self, text: bytes) -> PerfkitError:
        try:
            decode_fields(text)
        except Unsound:
            return PerfkitError(
                f"{self._name} is not a trace: neither valid JSON nor a list of events", _HINT
            )
        return PerfkitError(f"{self._name} holds no list of events", _HINT)

    def _fields(self, text: bytes) -> None:
        """Keep the fields of this object; where it is damaged, what can be had of them."""
        try:
            fields = decode_fields(text)
        except Unsound:
            self._repairs.note(Repair.NOT_JSON)
            fields = self._mended_fields(text)
        for key, raw in fields.items():
            try:
                if key not in ("traceEvents", _FILLER):
                    self.metadata[key] = msgspec.json.decode(raw)
            except Unsound:
                self._repairs.note(Repair.NOT_JSON)

    def _mended_fields(self, text: bytes) -> dict[str, msgspec.Raw]:
        trial = Repairs()
        try:
            mended = mend_text(text, trial) if len(text) < _AHEAD * _CHUNK else text
            fields = decode_fields(re.sub(rb",\s*\}", b"}", mended))
        except Unsound:
            base = _BASE.search(text)
            return {} if base is None else {"baseTimeNanoseconds": msgspec.Raw(base[1])}
        self._repairs.merge(trial)
        return fields

    def _events(self) -> Iterator[Chunk]:
        """The events up to the end of their list, or of the text."""
        window = self._window
        ended = False
        while not ended:
            window.fill(_AHEAD * _CHUNK)
            if window.final and not window.data.strip():
                self._repairs.note(Repair.CUT)
                self._repairs.note(Repair.NOT_JSON)
                return
            near = window.final and len(window.data) <= 2 * _CHUNK
            found = False
            for chunk in () if near else self._sound():
                found = True
                yield chunk
            if found:
                continue
            if window.final and (last := self._ending()) is not None:
                yield last
                return
            for chunk in self._sound() if near else ():
                found = True
                yield chunk
            if found:
                continue
            cut = BETWEEN.search(window.data, _CHUNK)
            patient = Patient(window.data, window.final, self._repairs)
            yield from patient.chunks(cut.end() if cut else len(window.data))
            ended = patient.ended
            if patient.at:
                window.drop(patient.at)
            elif not window.grow():
                self._skip()

    def _ending(self) -> Chunk | None:
        """Everything that is left, if it is sound; the window is then at the end of the list."""
        data = self._window.data
        again = OPENING.search(data)
        text = self._prefix + (data[: again.start()] + _CLOSED if again else data)
        try:
            if self._prefix == b"[":
                events = text.strip()
            else:
                fields = decode_fields(text)
                events = bytes(fields["traceEvents"])
            chunk = Chunk(events_of(events, self._repairs), events)
        except Unsound:
            return None
        self._window.drop(len(events) - 1)  # its bracket stands in the prefix
        return chunk

    def _sound(self) -> Iterator[Chunk]:
        """The chunks of this window as far as they decode; dropped from it once all were taken."""
        window, done = self._window, 0
        try:
            while (found := self._next(done)) is not None:
                chunk, done = found
                yield chunk
                if len(window.data) - done <= 2 * _CHUNK:
                    return
        finally:
            window.drop(done)

    def _next(self, at: int) -> tuple[Chunk, int] | None:
        """The chunk from `at` on, and where it ends; one that stops inside an event is made longer."""
        window, reach = self._window, _CHUNK
        while True:
            cut = BETWEEN.search(window.data, at + reach)
            if cut is None:
                if not window.grow():
                    return None
                continue
            text = b"".join((b"[", memoryview(window.data)[at : cut.start() + 1], b"]"))
            try:
                return Chunk(events_of(text, self._repairs), text), cut.end()
            except Unsound:
                if not _incomplete(text):
                    return None
                reach = max(2 * reach, cut.end() - at)

    def _skip(self) -> None:
        """Give up an event that is longer than the window can be."""
        cut = BETWEEN.search(self._window.data)
        self._repairs.note(Repair.NOT_JSON)
        self._repairs.add(Repair.LOST)
        self._window.drop(cut.end() if cut else len(self._window.data))

    def _tail(self) -> bool:
        """Read the fields behind the list; True when it was followed by another list of events."""
        window = self._window
        window.fill(_CHUNK)
        while (opening := OPENING.search(window.data)) is None:
            if not window.grow():
                break
        if opening is not None:
            self._repairs.note(Repair.TWO_LISTS)
            self._rest(window.data[: opening.start()] + _CLOSED)
            window.drop(opening.end())
            return True
        self._rest(window.data)
        while not window.final:  # more fields than the budget allows
            self._repairs.note(Repair.NOT_JSON)
            window.drop(len(window.data))
            window.fill(_CHUNK)
        return False

    def _rest(self, text: bytes) -> None:
        """The fields behind the list of events."""
        text = text.strip()
        if self._prefix == b"[":
            if text:
                self._repairs.note(Repair.NOT_JSON)
            return
        self._fields(b'{"traceEvents":null' + text)


def _incomplete(array: bytes) -> bool:
    """True when an array that does not decode is sound as far as it goes: it stops inside an event."""
    try:
        decode_raws(array)
        return False
    except Unsound:
        pass
    try:
        decode_raws(array[:-1])
    except Unsound as error:
        return "truncated" in str(error)  # msgspec has no other sign for it
    return False
