"""Memory in use over time as the allocator told it, and what was running at the peak.

Per device, the host included: the curve is the allocator's own total after each allocation and free
(`Total Allocated`); where a trace does not tell it, the sum of the changes, which then starts at zero
with the recording. The peak is the curve's first maximum; its operator is the innermost one around
that moment on the thread that allocated, those left out that only allocate (`aten::empty`), its place
the innermost frame of the program's own code.
Torch's caching allocator reserves more than is in use: `reserved` is that, where told.

Source: Kineto's `[memory]` events, written with `profile_memory=True`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from perfkit.base.errors import NotObservable
from perfkit.io.trace_frames import user_frames
from perfkit.model.events import HOST_OPS, UNKNOWN, Events, Ints, Mask
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table

_CPU = 0
_POINTS = 400
ALLOCATING = (
    "aten::empty",
    "aten::empty_strided",
    "aten::empty_like",
    "aten::new_empty",
    "aten::resize_",
)
_PEAKS = (
    Column("device"),
    Column("peak", "bytes"),
    Column("peak_reserved", "bytes"),
    Column("at_ns", "ns"),
    Column("last_change", "bytes"),
    Column("op"),
    Column("file"),
    Column("line"),
    Column("function"),
    Column("allocations"),
    Column("absolute"),
)
_CURVE = (
    Column("device"),
    Column("at_ns", "ns"),
    Column("allocated", "bytes"),
    Column("reserved", "bytes"),
)


@dataclass(frozen=True)
class DeviceMemory:
    """The memory of one device.

    Attributes:
        device: its index, None for the host.
        at: ns; allocated: bytes in use from then on; reserved: bytes held, None where not told.
        nbytes: the change itself, negative where freed.
        absolute: False where the curve starts at zero with the recording.
        op: the operator at the peak; place: the line; None where the trace does not tell.
        begin_ns: when the recording began.
    """

    device: int | None
    at: Ints
    allocated: Ints
    reserved: Ints | None
    nbytes: Ints
    absolute: bool
    op: str | None
    place: Frame | None
    begin_ns: int

    @property
    def name(self) -> str:
        """`host` or `device 0`."""
        return "host" if self.device is None else f"device {self.device}"

    @property
    def peak(self) -> int:
        """Index of the first maximum."""
        return int(np.argmax(self.allocated))

    @property
    def peak_bytes(self) -> int:
        return int(self.allocated[self.peak])

    def self_check(self) -> None:
        """Raise AssertionError when the curve is out of order, or not the sum of its changes."""
        assert len(self.at) == len(self.allocated) == len(self.nbytes) > 0
        assert bool((np.diff(self.at) >= 0).all())
        assert self.peak_bytes >= int(self.allocated[-1])
        if not self.absolute:
            assert int(self.allocated[-1]) == int(self.nbytes.sum())


def device_memory(events: Events) -> tuple[DeviceMemory, ...]:
    """The memory of every device that allocated, devices first, the host last.

    Raises:
        NotObservable: the trace holds no allocations.
    """
    changes = events.memory
    if not len(changes):
        raise NotObservable(
            "the trace records no allocations: they need profile_memory=True when it is captured"
        )
    index = np.where(changes.device_type == _CPU, UNKNOWN, np.maximum(changes.device, 0))
    found = [_one(events, index == number, number) for number in np.unique(index).tolist()]
    return (
        *(each for each in found if each.device is not None),
        *(e for e in found if e.device is None),
    )


def device_memory_table(found: Iterable[DeviceMemory]) -> Table:
    """One row per device: its peak, and what ran then."""
    return Table(_PEAKS, tuple(_peak_row(each) for each in found))


def memory_curve_table(found: Iterable[DeviceMemory]) -> Table:
    """The curves, each thinned to some hundred points that keep every stretch's largest value."""
    rows = []
    for each in found:
        for i in _kept(each.allocated).tolist():
            reserved = None if each.reserved is None else int(each.reserved[i])
            rows.append(
                (each.name, int(each.at[i]) - each.begin_ns, int(each.allocated[i]), reserved)
            )
    return Table(_CURVE, tuple(rows))


def _one(events: Events, mine: Mask, number: int) -> DeviceMemory:
    changes = events.memory
    at, nbytes = changes.time[mine], changes.nbytes[mine]
    told, reserved = changes.allocated[mine], changes.reserved[mine]
    absolute = bool((told != UNKNOWN).all())
    allocated: Ints = told if absolute else np.cumsum(nbytes)
    peak = int(np.argmax(allocated))
    inside = _around(events, int(at[peak]), int(changes.thread[mine][peak]))
    ops = inside[events.of(HOST_OPS)[inside]]
    telling = [row for row in ops.tolist() if events.name_of(row) not in ALLOCATING]
    cause = (telling or ops.tolist())[-1:]
    return DeviceMemory(
        device=None if number == UNKNOWN else number,
        at=at,
        allocated=allocated,
        reserved=reserved if bool((reserved > 0).any()) else None,
        nbytes=nbytes,
        absolute=absolute,
        op=events.name_of(cause[0]) if cause else None,
        place=_place(events, inside, ops),
        begin_ns=min(int(events.start[0]) if len(events) else int(at[0]), int(at[0])),
    )


def _around(events: Events, at: int, thread: int) -> Ints:
    """Rows of the host's events around a moment on a thread, the outermost first."""
    inside = (events.start <= at) & (at < events.end) & (events.tid == thread)
    return np.flatnonzero(inside & events.of((*HOST_OPS, "python_function")))


def _place(events: Events, inside: Ints, ops: Ints) -> Frame | None:
    for row in ops[::-1].tolist():
        text = events.stack_of(row)
        if text:
            return next(iter(user_frames(text.split(";"))), None)
    frames = inside[events.of(("python_function",))[inside]]
    names = [events.name_of(row) for row in frames[::-1].tolist()]
    return next(iter(user_frames(names)), None)


def _peak_row(each: DeviceMemory) -> tuple[str | int | bool | None, ...]:
    place = each.place
    return (
        each.name,
        each.peak_bytes,
        None if each.reserved is None else int(each.reserved.max()),
        int(each.at[each.peak]) - each.begin_ns,
        int(each.nbytes[each.peak]),
        each.op,
        *((place.file, place.line, place.function) if place else (None, None, None)),
        int((each.nbytes > 0).sum()),
        each.absolute,
    )


def _kept(values: Ints) -> Ints:
    """Indices of the largest value of each of some hundred stretches, and of the last one."""
    if len(values) <= _POINTS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), _POINTS + 1).astype(np.int64)
    pairs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    largest = [low + int(np.argmax(values[low:high])) for low, high in pairs if high > low]
    kept: Ints = np.unique(np.array([*largest, len(values) - 1], np.int64))
    return kept
