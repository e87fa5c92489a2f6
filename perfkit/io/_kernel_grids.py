"""Grids of kernels while a trace is read: blocks, threads per block, Kineto's estimated occupancy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import msgspec
import numpy as np

from perfkit.io._patient import Unsound
from perfkit.io._raw import RawEvent
from perfkit.model.events import UNKNOWN, Ints
from perfkit.model.grids import Grids

_MOST = 2**62
_SIDES = 3


class _Kernel(msgspec.Struct, gc=False):
    grid: list[int] | None = None
    block: list[int] | None = None
    occupancy: float | None = msgspec.field(name="est. achieved occupancy %", default=None)


_decode = msgspec.json.Decoder(_Kernel).decode
_decode_all = msgspec.json.Decoder(list[_Kernel | None]).decode
_NONE = _Kernel()


class KernelGrids:
    """Gathers them; rows are positions in the file."""

    def __init__(self) -> None:
        self._parts: list[Ints] = []

    def add(
        self,
        events: Sequence[RawEvent],
        columns: Mapping[str, Ints],
        categories: Mapping[str, int],
    ) -> None:
        """Take some intervals, their columns, and all categories so far."""
        wanted = [code for name, code in categories.items() if name.lower() == "kernel"]
        rows = np.flatnonzero(np.isin(columns["cat"], wanted))
        if not len(rows):
            return
        found = _decoded([events[i].args for i in rows.tolist()])
        blocks = [_size(each.grid) for each in found]
        threads = [_size(each.block) for each in found]
        occupancy = [_percent(each.occupancy) for each in found]
        part = np.array([columns["order"][rows], blocks, threads, occupancy], np.int64)
        part = part[:, part[1] != UNKNOWN]
        if part.size:
            self._parts.append(part)

    def grids(self, order: Ints) -> Grids:
        """All of them; `order` is the position in the file of each row of the events."""
        if not self._parts:
            return Grids()
        columns = np.concatenate(self._parts, axis=1)
        by_order = np.argsort(order)
        columns[0] = by_order[np.searchsorted(order, columns[0], sorter=by_order)]
        return Grids(*columns[:, np.argsort(columns[0])])


def _decoded(texts: Sequence[msgspec.Raw]) -> list[_Kernel]:
    try:
        found = _decode_all(b"".join((b"[", b",".join(texts), b"]")))
    except Unsound:
        found = [_one(text) for text in texts]
    return [_NONE if each is None else each for each in found]


def _one(text: msgspec.Raw) -> _Kernel:
    """Of arguments that are not what they should be, nothing is told."""
    try:
        return _decode(text)
    except Unsound:
        return _NONE


def _size(sides: list[int] | None) -> int:
    if not sides or len(sides) > _SIDES or min(sides) < 1:
        return UNKNOWN
    whole = prod(sides)
    return whole if whole < _MOST else UNKNOWN


def _percent(value: float | None) -> int:
    return round(value) if value is not None and 0 <= value <= 100 else UNKNOWN
