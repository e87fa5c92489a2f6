"""A trace written anew from another one: every event passes through a function, further ones follow.

What the reader mends is mended in the copy too. Memory holds some megabytes of the trace at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
from isal import igzip

from perfkit.base.files import replacing
from perfkit.io._chunks import Document, collector_paused
from perfkit.io._patient import Chunk, Unsound
from perfkit.io._raw import NO_ARGS, RawEvent
from perfkit.io._repairs import Repairs
from perfkit.model.run import Gap

Change = Callable[[RawEvent, int], "RawEvent | None"]
"""From an event and its position in the file to what is written in its place, None for nothing."""

Times = Callable[[int], "tuple[int, int] | None"]
"""From an event's position in the file to its start and duration in ns, None to keep the file's."""

_EXACT_US = 2**53 / 1000  # above this a float of microseconds has no room for nanoseconds
_LEVEL = 1
_BATCH = 1 << 14
_SAME = ("ph", "cat", "name", "pid", "tid", "id", "bp", "s", "args")


class _Exact(msgspec.Struct, gc=False):
    """An event's times with every digit."""

    ts: Decimal | None = None
    dur: Decimal | None = None


class _Written(msgspec.Struct, omit_defaults=True):
    """An event whose time is a text of digits rather than a float."""

    ph: str = ""
    cat: str = ""
    name: str = ""
    pid: int | str | None = None
    tid: int | str | None = None
    ts: msgspec.Raw | None = None
    dur: msgspec.Raw | None = None
    id: int | str | None = None
    bp: str | None = None
    s: str | None = None
    args: msgspec.Raw = NO_ARGS


_decode_exact = msgspec.json.Decoder(list[_Exact]).decode


def write_trace(
    src: Path | str,
    dst: Path,
    change: Change,
    metadata: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    further: Iterable[bytes] = (),
    times: Times = lambda position: None,
) -> tuple[Gap, ...]:
    """Write the trace `src` anew as `dst`, gzip where its name ends in .gz.

    Args:
        change: what becomes of each event; it may change the event it is given.
        metadata: what becomes of the trace's other fields.
        further: events to add, each one encoded JSON object.
        times: the times of events that do not keep their own.

    Returns what was mended on reading.

    Raises:
        PerfkitError: `src` is no trace, or `dst` cannot be written.
    """
    repairs = Repairs()
    found = Document(src)
    with replacing(dst) as temporary, collector_paused(), _opened(temporary, dst) as out:
        first = True
        out.write(b'{"traceEvents":[\n')
        for lines in chain(_events(found, change, times, repairs), _batched(further)):
            out.write((b"" if first else b",\n") + b",\n".join(lines))
            first = False
        fields = {k: v for k, v in metadata(found.metadata).items() if k != "traceEvents"}
        rest = msgspec.json.encode(fields)[1:]
        out.write(b"\n]" + (b"," if fields else b"") + rest + b"\n")
    return repairs.gaps()


def _opened(temporary: Path, dst: Path) -> BinaryIO:
    if dst.suffix == ".gz":
        return cast(BinaryIO, igzip.open(temporary, "wb", compresslevel=_LEVEL))
    return temporary.open("wb")


def _events(
    found: Document, change: Change, times: Times, repairs: Repairs
) -> Iterator[list[bytes]]:
    position = 0
    for chunk in found.chunks(repairs):
        exact = _exact_times(chunk)
        lines = []
        for at, event in enumerate(chunk.events):
            before = event.ts
            changed = change(event, position + at)
            if changed is None:
                continue
            given = times(position + at)
            if given is not None:
                lines.append(_with_times(changed, us(given[0]), us(given[1])))
            elif exact is not None and changed.ts == before:
                lines.append(_with_times(changed, _digits(exact[at].ts), _digits(exact[at].dur)))
            else:
                lines.append(msgspec.json.encode(changed))
        position += len(chunk.events)
        if lines:
            yield lines


def us(ns: int) -> bytes:
    """Nanoseconds as digits of microseconds, none lost."""
    sign, size = ("-", -ns) if ns < 0 else ("", ns)
    return f"{sign}{size // 1000}.{size % 1000:03d}".encode()


def _batched(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    iterator = iter(lines)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _exact_times(chunk: Chunk) -> list[_Exact] | None:
    """The times with all digits where a float would lose some."""
    if chunk.text is None or not any(
        e.ts is not None and abs(e.ts) > _EXACT_US for e in chunk.events
    ):
        return None
    try:
        exact = _decode_exact(chunk.text)
    except Unsound:  # times as texts, say: the floats have to do
        return None
    return exact if len(exact) == len(chunk.events) else None


def _with_times(event: RawEvent, ts: bytes | None, dur: bytes | None) -> bytes:
    return msgspec.json.encode(
        _Written(
            **{name: getattr(event, name) for name in _SAME},
            ts=None if ts is None else msgspec.Raw(ts),
            dur=None if dur is None else msgspec.Raw(dur),
        )
    )


def _digits(value: Decimal | None) -> bytes | None:
    return None if value is None or not value.is_finite() else format(value, "f").encode()
