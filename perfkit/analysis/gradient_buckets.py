"""Reductions that could travel together: those of gradients, and those launched one right after another.

Two collectives can be one where neither needs the result of the other. A trace does not tell that
outright; it does where the launch lies inside the accumulation of a gradient, a hook of
DistributedDataParallel or of FSDP (by the names around it), or where at most `_BETWEEN` kernels are
launched since the collective before it, as in a loop over parameters. Collectives of tensor-parallel
layers have a layer's kernels between them, and those that a graph replays cannot be told: both are
left out.

Time of a collective: t = a + n / b (R. Hockney, "The communication challenge for MPP", 1994): a is paid
per collective, whatever its size. Here a is at most the shortest duration of a small one, which waited
least for later ranks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.communication import Exchange, bus_bandwidth, communication
from perfkit.analysis.device_work import DeviceWork, device_work
from perfkit.analysis.spans import union
from perfkit.base.errors import NotObservable
from perfkit.model.events import ANNOTATIONS, HOST_OPS, UNKNOWN, Events, Ints, Mask
from perfkit.model.table import Column, Table

SMALL = 1 << 20
"""Bytes: DistributedDataParallel's first bucket, small on purpose; its others hold 25 MiB."""
MERGED = 25 << 20

_KINDS = ("all_reduce", "reduce_scatter", "all_gather")
_GRADIENTS = re.compile(
    r"AccumulateGrad|DistributedDataParallel|FSDP|FullyShardedDataParallel|reducer", re.IGNORECASE
)
_BETWEEN = 2


@dataclass(frozen=True)
class Buckets:
    """Mergeable collectives of one kind and group over the whole recording.

    Attributes:
        small: those below `SMALL`; large: the others.
    """

    kind: str
    group: str
    small: tuple[Exchange, ...]
    large: tuple[Exchange, ...]

    @property
    def small_bytes(self) -> int:
        return sum(one.message_bytes or 0 for one in self.small)

    @property
    def exposed_ns(self) -> int:
        """Time of the small ones that no computation hid."""
        return sum(one.exposed_ns for one in self.small)

    @property
    def duration_ns(self) -> int:
        return sum(one.duration_ns for one in self.small)

    @property
    def latency_ns(self) -> int:
        """What one costs whatever its size: the shortest duration of a small one."""
        return min((one.duration_ns for one in self.small), default=0)

    def merged(self, steps: int) -> int:
        """How many there would be, if the small ones of each step shared buckets of `MERGED` bytes."""
        return steps * max(1, -(-self.small_bytes // (MERGED * steps))) if self.small else 0

    def saving_ns(self, steps: int) -> tuple[int, int, int]:
        """(low, likely, high) over the recording: nothing; the latencies of those that merging leaves
        out, as far as they are exposed; all exposed time but the latencies that stay."""
        gone = len(self.small) - self.merged(steps)
        if gone <= 0 or not self.duration_ns:
            return 0, 0, 0
        shown = self.exposed_ns / self.duration_ns
        high = max(0, self.exposed_ns - round(self.merged(steps) * self.latency_ns * shown))
        return 0, min(high, round(gone * self.latency_ns * shown)), high

    def self_check(self) -> None:
        """Raise AssertionError where the parts contradict each other; tests call it."""
        assert all((one.message_bytes or 0) < SMALL for one in self.small)
        assert all((one.message_bytes or 0) >= SMALL for one in self.large)
        assert 0 <= self.exposed_ns <= self.duration_ns


def gradient_buckets(events: Events) -> tuple[Buckets, ...]:
    """Mergeable collectives by kind and group, those with most small ones first.

    Raises:
        NotObservable: no communication kernel was recorded, or the size of none is known.
    """
    found = [one for one in communication(events, {}).collectives if one.kind in _KINDS]
    sized = [one for one in found if one.message_bytes is not None]
    if found and not sized:
        raise NotObservable("the trace tells no sizes of collectives")
    mergeable = [one for one, may in zip(sized, _mergeable(events, sized), strict=True) if may]
    keys = dict.fromkeys((one.kind, one.group) for one in mergeable)
    buckets = [
        Buckets(kind, group, *_halves([o for o in mergeable if (o.kind, o.group) == (kind, group)]))
        for kind, group in keys
    ]
    return tuple(sorted(buckets, key=lambda each: -len(each.small)))


def bandwidth(some: tuple[Exchange, ...]) -> float | None:
    """The best bus bandwidth among them, bytes/s; None where none is known."""
    known = [bus_bandwidth(o.kind, o.message_bytes, o.size, o.duration_ns) for o in some]
    return max((speed for speed in known if speed is not None), default=None)


def gradient_buckets_table(buckets: tuple[Buckets, ...]) -> Table:
    """A row per kind and group, over the whole recording."""
    columns = (
        Column("kind"),
        Column("group"),
        Column("small"),
        Column("small_bytes", "bytes"),
        Column("small_ns", "ns"),
        Column("small_exposed_ns", "ns"),
        Column("latency_ns", "ns"),
        Column("small_bus_bandwidth", "bytes/s"),
        Column("large"),
        Column("large_bus_bandwidth", "bytes/s"),
    )
    rows = tuple(
        (
            each.kind,
            each.group or None,
            len(each.small),
            each.small_bytes,
            each.duration_ns,
            each.exposed_ns,
            each.latency_ns if each.small else None,
            bandwidth(each.small),
            len(each.large),
            bandwidth(each.large),
        )
        for each in buckets
    )
    return Table(columns, rows)


def _halves(some: list[Exchange]) -> tuple[tuple[Exchange, ...], tuple[Exchange, ...]]:
    small = tuple(one for one in some if (one.message_bytes or 0) < SMALL)
    return small, tuple(one for one in some if (one.message_bytes or 0) >= SMALL)


def _mergeable(events: Events, some: list[Exchange]) -> list[bool]:
    """Whether each, of those in launch order, could have travelled with another one."""
    at = np.array([UNKNOWN if o.launched_ns is None else o.launched_ns for o in some], np.int64)
    work = device_work(events)
    known: Mask = (at != UNKNOWN) & ~np.isin(at, _graphs(events, work))
    inside = _gradient_hooks(events, at)
    near = _near(events, work, at, known)
    result: list[bool] = (known & (inside | near)).tolist()
    return result


def _graphs(events: Events, work: DeviceWork) -> Ints:
    """When graphs were launched."""
    found: Ints = events.start[np.unique(work.launch[work.in_graph])]
    return found


def _gradient_hooks(events: Events, at: Ints) -> Mask:
    named = events.named(name for name in events.names if _GRADIENTS.search(name))
    rows = np.flatnonzero(named & events.of((*HOST_OPS, *ANNOTATIONS)))
    return union(events.start[rows], events.end[rows]).contains(at)


def _near(events: Events, work: DeviceWork, at: Ints, known: Mask) -> Mask:
    """Which follow another one, or are followed, with few kernels launched in between."""
    near = np.zeros(len(at), np.bool_)
    if len(at) < 2:
        return near
    computes = ~work.is_comm & ~work.is_copy & (work.launch != UNKNOWN)
    launched = np.sort(events.start[work.launch[computes]])
    before = np.searchsorted(launched, at)
    close = (np.diff(before) <= _BETWEEN) & known[1:] & known[:-1]
    near[1:] |= close
    near[:-1] |= close
    return near
