"""Sizes of the collectives of older traces, which tell them only as shapes.

Newer ones carry `In msg nelems` and more, which `read_trace` keeps. Before torch 2.2 there are but
the `Input Dims` of the `nccl:` annotation and of the `c10d::` operator. Such events are few among
millions, so they are found in the text by name and only they are decoded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfkit.io._repairs import Repairs
from perfkit.io._text import blocks

_MARKS = (b'"c10d::', b'"nccl:')
_LONGEST = 1 << 16  # no event about a collective is longer than this
_USUAL = 1 << 12
_STEPS_BACK = 8  # braces between the mark and the start of its event, those in texts included
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Shapes:
    """Elements that go into and come out of a collective, None where the event does not say.

    `dtype` is as written: `float`, `long int`, `c10::BFloat16`; empty unknown.
    """

    in_elements: int | None
    out_elements: int | None
    dtype: str


def read_shapes(source: Path | str) -> dict[int, Shapes]:
    """Sizes by the `External id` of the `nccl:` annotation or `c10d::` operator that tells them.

    A damaged file gives what can be read of it: `read_trace` is where damage is reported.

    Raises:
        PerfkitError: unreadable, empty, or evidently something else.
    """
    found: dict[int, Shapes] = {}
    for event in _events(source):
        args = event.get("args")
        if isinstance(args, dict):
            key = args.get("External id", args.get("external id"))
            shapes = _shapes(str(event.get("name", "")), args)
            if isinstance(key, int) and shapes is not None:
                found[key] = shapes
    return found


def _events(source: Path | str) -> Iterator[dict[str, Any]]:
    """The events around the marks in file order, each once."""
    kept, start, done = b"", 0, 0
    for block in blocks(source, Repairs()):
        text = kept + block
        for at in sorted(_positions(text)):
            found = _event_around(text, at) if start + at >= done else None
            if found is not None:
                event, end = found
                done = start + end
                yield event
        kept = text[-_LONGEST:]
        start += len(text) - len(kept)


def _positions(text: bytes) -> Iterator[int]:
    for mark in _MARKS:
        at = text.find(mark)
        while at >= 0:
            yield at
            at = text.find(mark, at + 1)


def _event_around(text: bytes, at: int) -> tuple[dict[str, Any], int] | None:
    """The event that holds the byte at `at`, and where it ends; None where it is cut or no event."""
    begin = at
    for _ in range(_STEPS_BACK):
        begin = text.rfind(b"{", 0, begin)
        if begin < 0:
            return None
        for size in (_USUAL, _LONGEST):
            window = text[begin : begin + size].decode("utf-8", "replace")
            try:
                event, length = _DECODER.raw_decode(window)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict) and "args" in event and "name" in event:
                return event, begin + length
            break
    return None


def _shapes(name: str, args: dict[str, Any]) -> Shapes | None:
    dims, types = args.get("Input Dims"), args.get("Input type")
    if not isinstance(dims, list):
        return None
    sizes = [_product(shape) for shape in dims]
    dtype = next((t for t in types if t), "") if isinstance(types, list) else ""
    if name.startswith("nccl:") and sizes and sizes[0] is not None:
        return Shapes(sizes[0], None, str(dtype))
    if "base" in name and len(sizes) > 1 and sizes[0] is not None:
        return Shapes(sizes[1], sizes[0], str(dtype))  # these operators take the output first
    return None


def _product(shape: object) -> int | None:
    if not isinstance(shape, list) or not shape or not all(isinstance(n, int) for n in shape):
        return None
    return math.prod(shape)
