"""What only some events say: collectives, device-side waits, kernels' grids, the allocator's changes."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np

from perfkit.io._kernel_grids import KernelGrids
from perfkit.io._patient import Unsound
from perfkit.io._raw import RawEvent
from perfkit.model.events import UNKNOWN, Collective, DeviceSync, Ints, Mask, MemoryChanges

MEMORY = "[memory]"
_SYNC = "cuda_sync"
_COLLECTIVE = re.compile(r"(?i)nccl|rccl|^record_param_comms$")
_LARGE = 2**62
_NO_STREAM = 2**32 - 1  # CUPTI's number for "all streams"

_Args = TypeVar("_Args", bound=msgspec.Struct)


_Small = Annotated[int, msgspec.Meta(ge=-1, le=2**31)]


class _Collective(msgspec.Struct, gc=False):
    kind: str | None = msgspec.field(name="Collective name", default=None)
    dtype: str | None = None
    in_elements: int | None = msgspec.field(name="In msg nelems", default=None)
    out_elements: int | None = msgspec.field(name="Out msg nelems", default=None)
    group: str | None = msgspec.field(name="Process Group Name", default=None)
    group_id: int | None = msgspec.field(name="Process Group ID", default=None)
    group_size: int | None = msgspec.field(name="Group size", default=None)
    ranks: str | None = msgspec.field(name="Process Group Ranks", default=None)
    in_split: str | None = msgspec.field(name="In split size", default=None)
    out_split: str | None = msgspec.field(name="Out split size", default=None)
    sequence: int | None = msgspec.field(name="Seq", default=None)


class _Sync(msgspec.Struct, gc=False):
    kind: str | None = msgspec.field(name="cuda_sync_kind", default=None)
    stream: int | None = None
    on_stream: int | None = msgspec.field(name="wait_on_stream", default=None)
    record: int | None = msgspec.field(name="wait_on_cuda_event_record_corr_id", default=None)


class _Memory(msgspec.Struct, gc=False):
    nbytes: int | None = msgspec.field(name="Bytes", default=_LARGE)  # without it of no use
    allocated: int | None = msgspec.field(name="Total Allocated", default=UNKNOWN)
    reserved: int | None = msgspec.field(name="Total Reserved", default=UNKNOWN)
    device_type: _Small | None = msgspec.field(name="Device Type", default=UNKNOWN)
    device: _Small | None = msgspec.field(name="Device Id", default=UNKNOWN)
    address: int | None = msgspec.field(name="Addr", default=UNKNOWN)


_collective = msgspec.json.Decoder(_Collective)
_sync = msgspec.json.Decoder(_Sync)
_FIELDS = ("nbytes", "allocated", "reserved", "device_type", "device", "address")
_GET = tuple(map(attrgetter, _FIELDS))
_MISSING = (_LARGE, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
_memory = msgspec.json.Decoder(_Memory)
_memories = msgspec.json.Decoder(list[_Memory])


class Extras:
    """Gathers the further arguments while a trace is read; rows are positions in the file."""

    def __init__(self) -> None:
        self._collectives: list[tuple[int, _Collective]] = []
        self._syncs: list[tuple[int, _Sync]] = []
        self._memory: list[Ints] = []
        self._grids = KernelGrids()
        self._is_collective = np.zeros(0, np.bool_)

    def add(
        self,
        events: Sequence[RawEvent],
        columns: Mapping[str, Ints],
        names: Mapping[str, int],
        categories: Mapping[str, int],
    ) -> None:
        """Take some intervals, their columns, and all names and categories so far."""
        order = columns["order"]
        if len(names) > len(self._is_collective):
            new = islice(names, len(self._is_collective), None)
            fresh = [_COLLECTIVE.search(text) is not None for text in new]
            self._is_collective = np.concatenate((self._is_collective, np.array(fresh, np.bool_)))
        for i in np.flatnonzero(self._is_collective[columns["name"]]).tolist():
            found = _decoded(_collective, events[i])
            if found is not None and found.kind is not None:
                self._collectives.append((int(order[i]), found))
        for i in np.flatnonzero(columns["cat"] == categories.get(_SYNC, UNKNOWN)).tolist():
            self._syncs.append((int(order[i]), _decoded(_sync, events[i]) or _Sync()))
        self._grids.add(events, columns, categories)

    def add_memory(self, events: Sequence[RawEvent], start: Ints, thread: Ints, ok: Mask) -> None:
        """Take some `[memory]` instants and their times."""
        args = _all_memory(events)
        columns = [
            _numbers(list(map(get, args)), missing)
            for get, missing in zip(_GET, _MISSING, strict=True)
        ]
        sizes = np.array(columns[:3])
        usable = ok & ((sizes > -_LARGE) & (sizes < _LARGE)).all(axis=0)
        if usable.any():
            self._memory.append(np.array([start, thread, *columns])[:, usable])

    def fields(self, order: Ints) -> dict[str, Any]:
        """The fields of `Events`; `order` is the position in the file of each of its rows."""
        by_order = np.argsort(order) if self._collectives or self._syncs else order[:0]
        collectives = _by_row(self._collectives, order, by_order)
        syncs = _by_row(self._syncs, order, by_order)
        return {
            "collectives": tuple(_collective_at(row, found) for row, found in collectives),
            "syncs": tuple(_sync_at(row, found) for row, found in syncs),
            "memory": self._changes(),
            "grids": self._grids.grids(order),
        }

    def _changes(self) -> MemoryChanges:
        if not self._memory:
            return MemoryChanges()
        columns = np.concatenate(self._memory, axis=1)
        columns = columns[:, np.argsort(columns[0], kind="stable")]
        return MemoryChanges(*columns)


def _all_memory(events: Sequence[RawEvent]) -> list[_Memory]:
    try:
        return [*_memories.decode(b"[%b]" % b",".join([event.args for event in events]))]
    except Unsound:
        return [_decoded(_memory, event) or _Memory() for event in events]


def _numbers(values: Sequence[int | None], missing: int) -> Ints:
    """As a column; nonsense becomes a number that is too large as well."""
    try:
        return np.frombuffer(array("q", values), np.int64)  # type: ignore[type-var]
    except (TypeError, OverflowError):
        known = [missing if value is None else value for value in values]
        return np.array([n if abs(n) < _LARGE else _LARGE for n in known], np.int64)


def _decoded(decoder: msgspec.json.Decoder[_Args], event: RawEvent) -> _Args | None:
    """The wanted arguments; those of another type than expected are unknown."""
    text = memoryview(event.args)
    if len(text) < 2:
        return None
    try:
        return decoder.decode(text)
    except Unsound:
        pass
    try:
        found = msgspec.json.decode(text)
        if not isinstance(found, dict):
            return None
        kept = {key: value for key, value in found.items() if isinstance(value, (int, str))}
        return msgspec.convert(kept, decoder.type, strict=False)
    except Unsound:
        return None


def _by_row(found: list[tuple[int, _Args]], order: Ints, by_order: Ints) -> list[tuple[int, _Args]]:
    if not found:
        return []
    wanted = np.array([position for position, _ in found], np.int64)
    rows = by_order[np.searchsorted(order, wanted, sorter=by_order)].tolist()
    return sorted(
        zip(rows, (args for _, args in found), strict=True), key=lambda pair: int(pair[0])
    )


def _collective_at(row: int, found: _Collective) -> Collective:
    group = found.group
    if group is None and found.group_id is not None:
        group = str(found.group_id)
    return Collective(
        row=row,
        kind=found.kind or "",
        dtype=found.dtype or "",
        in_elements=found.in_elements,
        out_elements=found.out_elements,
        group=group,
        group_size=found.group_size,
        ranks=found.ranks or "",
        in_split=found.in_split or "",
        out_split=found.out_split or "",
        sequence=found.sequence,
    )


def _sync_at(row: int, found: _Sync) -> DeviceSync:
    stream = None if found.stream in (None, _NO_STREAM, UNKNOWN) else found.stream
    return DeviceSync(row, found.kind or "", stream, found.on_stream, found.record)
