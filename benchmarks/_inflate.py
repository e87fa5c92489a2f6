"""A trace repeated to a size: later copies start later, and their ids and step numbers go on counting.

    python benchmarks/_inflate.py TRACE MEGABYTES TARGET

Names, durations, arguments and the share of each kind of event stay those of the original, so that a
reader's time per byte can be compared across sizes. The copies know nothing of each other: no launch
of one is joined to work of another.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

MB = 1_000_000
_TIME = rb'"ts"\s*:\s*'
_COUNTED = re.compile(
    rb"("
    + _TIME
    + rb'|"(?:correlation|[Ee]xternal id|Ev Idx|Python id|Python parent id|Record function id'
    rb'|Sequence number|wait_on_cuda_event_record_corr_id)"\s*:\s*'
    rb'|"ph"\s*:\s*"[sft]",\s*"id"\s*:\s*|ProfilerStep#)(\d+)'
)


class _Template:
    """The list of events as text, its counted numbers apart."""

    def __init__(self, text: bytes) -> None:
        pieces = _COUNTED.split(text)
        self._texts = [
            before + label for before, label in zip(pieces[0:-1:3], pieces[1::3], strict=True)
        ]
        self._last = pieces[-1]
        self._numbers = [int(number) for number in pieces[2::3]]
        self._is_time = [re.search(_TIME + rb"\Z", text[-24:]) is not None for text in self._texts]
        self._is_step = [text.endswith(b"ProfilerStep#") for text in self._texts]
        times = self._of(self._is_time)
        self._span = max(times) - min(times) + 1000 if times else 0
        steps = self._of(self._is_step)
        self._steps = max(steps) - min(steps) + 1 if steps else 0
        self._ids = max(self._of([not t for t in self._is_time]), default=0) + 1

    def _of(self, mask: Sequence[bool]) -> list[int]:
        return [n for n, chosen in zip(self._numbers, mask, strict=True) if chosen]

    def copy(self, index: int) -> bytes:
        """The text of copy `index`; 0 is the original. An id of 0 means none and stays."""
        time, step, ids = index * self._span, index * self._steps, index * self._ids
        rows = zip(self._texts, self._numbers, self._is_time, self._is_step, strict=True)
        return (
            b"".join(
                b"%b%d" % (text, number + (time if t else step if s else ids if number else 0))
                for text, number, t, s in rows
            )
            + self._last
        )


def inflate(source: Path, megabytes: float, target: Path) -> Path:
    """Write `source` repeated until it holds at least `megabytes` (of 10^6 bytes) of JSON.

    The target is compressed where its name ends in .gz.
    """
    raw = source.read_bytes()
    text = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    events = bytes(fields.pop("traceEvents"))[1:-1].strip()
    head = msgspec.json.encode({key: msgspec.json.decode(raw) for key, raw in fields.items()})
    target.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(target, "wb", 1) if target.suffix == ".gz" else target.open("wb") as out:
        out.write(head[:-1] + b',\n"traceEvents": [\n')
        for piece in _copies(_Template(events), int(megabytes * MB) - len(head)):
            out.write(piece)
        out.write(b"\n]}\n")
    return target


def _copies(template: _Template, size: int) -> Iterator[bytes]:
    index = 0
    while size > 0:
        piece = (b",\n" if index else b"") + template.copy(index)
        yield piece
        size -= len(piece)
        index += 1


if __name__ == "__main__":
    inflate(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
