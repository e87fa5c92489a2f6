"""Copies between host and device in a trace: how much, how fast, from what memory, and what hides them.

Rate is bytes over the copies' own time on the device. Kineto names the memory: `Memcpy HtoD (Pageable ->
Device)`; a pageable copy is staged by the driver, so its rate is also that of the host's memory. Exposed
is the time in which a copy over the bus ran, nothing computed and nothing communicated. Copies within a
device, and copies outside of the steps, are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.spans import Spans, union
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.base.errors import NotObservable
from perfkit.model.events import UNKNOWN, Events, Ints, Mask
from perfkit.model.table import Column, Table

Direction = Literal["h2d", "d2h"]
Memory = Literal["pinned", "pageable", "unknown"]

_DIRECTIONS: dict[Direction, re.Pattern[str]] = {
    "h2d": re.compile(r"HtoD|HostToDevice", re.IGNORECASE),
    "d2h": re.compile(r"DtoH|DeviceToHost", re.IGNORECASE),
}
_MEMORIES: tuple[Memory, ...] = ("pinned", "pageable")
_LARGE = 1 << 20
"""Bytes from which a copy's rate is that of the bus and not of its start."""


@dataclass(frozen=True)
class Way:
    """The copies of one direction from or to one kind of host memory, all steps together.

    Attributes:
        nbytes, timed_ns: of the copies whose size is known.
        exposed_ns: union over streams.
        large_rate: bytes/s of those of a MiB and more together; None where there are none.
    """

    direction: Direction
    memory: Memory
    copies: int
    nbytes: int
    timed_ns: int
    exposed_ns: int
    large_rate: float | None

    @property
    def rate(self) -> float | None:
        """bytes/s; None where no size is known."""
        return self.nbytes * 1e9 / self.timed_ns if self.nbytes and self.timed_ns else None


@dataclass(frozen=True)
class BusCopies:
    """All of one device; `busy_ns` and `exposed_ns` are unions, so overlaps count once.

    `device_ns` is how long that device did anything in the steps.
    """

    device: int
    ways: tuple[Way, ...]
    busy_ns: int
    exposed_ns: int
    device_ns: int

    def self_check(self) -> None:
        """Raise AssertionError where the parts contradict the whole; tests call it."""
        assert 0 <= self.exposed_ns <= self.busy_ns <= self.device_ns
        assert sum(way.exposed_ns for way in self.ways) >= self.exposed_ns


def bus_copies(events: Events, work: DeviceWork, steps: TraceSteps) -> BusCopies:
    """The copies of the device whose bus is exposed longest.

    Raises:
        NotObservable: no copy between host and device lies in a step.
    """
    named = {
        direction: events.named(name for name in events.names if pattern.search(name))
        for direction, pattern in _DIRECTIONS.items()
    }
    found = [_of_device(events, work.of(device), steps, named) for device in work.devices]
    if not any(each.ways for each in found):
        raise NotObservable("no copy between host and device lies in a step")
    return max(found, key=lambda each: (each.exposed_ns, each.busy_ns))


def bus_copies_table(found: BusCopies) -> Table:
    """A row per direction and memory, over all steps."""
    columns = (
        Column("direction"),
        Column("memory"),
        Column("copies"),
        Column("bytes", "bytes"),
        Column("time_ns", "ns"),
        Column("exposed_ns", "ns"),
        Column("rate", "bytes/s"),
        Column("large_rate", "bytes/s"),
    )
    rows = tuple(
        (w.direction, w.memory, w.copies, w.nbytes, w.timed_ns, w.exposed_ns, w.rate, w.large_rate)
        for w in found.ways
    )
    return Table(columns, rows)


def _of_device(
    events: Events, work: DeviceWork, steps: TraceSteps, named: dict[Direction, Mask]
) -> BusCopies:
    inside: Mask = work.is_copy & (steps.index_of(work.start) != UNKNOWN)
    masks = {
        direction: inside & mask[work.rows]
        for direction, mask in named.items()
        if bool((inside & mask[work.rows]).any())
    }
    hidden = work.compute | work.comm
    ways = []
    for direction, mask in masks.items():
        for memory, chosen in _by_memory(events, work, mask).items():
            ways.append(_way(direction, memory, events, work, chosen, hidden))
    both = np.any(list(masks.values()), axis=0) if masks else np.zeros(len(work), np.bool_)
    copies = union(work.start[both], work.end[both])
    device_ns = int(work.busy.covered(steps.starts, steps.ends).sum())
    ways.sort(key=lambda way: -way.exposed_ns)
    # a copy may end behind its step
    device_ns = max(device_ns, copies.total)
    device = int(work.device[0]) if len(work) else UNKNOWN
    return BusCopies(device, tuple(ways), copies.total, (copies - hidden).total, device_ns)


def _by_memory(events: Events, work: DeviceWork, mask: Mask) -> dict[Memory, Mask]:
    """The copies by the memory that their name tells."""
    found: dict[Memory, Mask] = {}
    left = mask.copy()
    for memory in _MEMORIES:
        of = events.named(name for name in events.names if memory in name.lower())[work.rows]
        if bool((left & of).any()):
            found[memory] = left & of
            left &= ~of
    return {**found, "unknown": left} if bool(left.any()) else found


def _way(
    direction: Direction,
    memory: Memory,
    events: Events,
    work: DeviceWork,
    mask: Mask,
    hidden: Spans,
) -> Way:
    took: Ints = work.end - work.start
    sizes = events.nbytes[work.rows]
    sized = mask & (sizes > 0)
    large = mask & (sizes >= _LARGE)
    large_ns = int(took[large].sum())
    return Way(
        direction=direction,
        memory=memory,
        copies=int(mask.sum()),
        nbytes=int(sizes[sized].sum()),
        timed_ns=int(took[sized].sum()),
        exposed_ns=(union(work.start[mask], work.end[mask]) - hidden).total,
        large_rate=int(sizes[large].sum()) * 1e9 / large_ns if large_ns else None,
    )
