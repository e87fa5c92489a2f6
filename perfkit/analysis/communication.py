"""Collectives of one rank: what they moved, how long they took, how much of it compute hid.

A collective is one communication kernel on the device of the rank that communicates most (a rank
that uses several seldom does so on more than one). Its duration includes the
wait for ranks that arrive later (NCCL and RCCL kernels start at once and spin), so a bandwidth
from one rank alone is a lower bound; `ranks` knows better.

Exposed is the time in which a communication kernel ran and no computing kernel did; copies hide
nothing. Algorithm bandwidth is size over time, bus bandwidth is that times a factor that makes
operations comparable with the hardware's link speed, both as nccl-tests defines them
(github.com/NVIDIA/nccl-tests, doc/PERFORMANCE.md).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from perfkit.analysis.device_work import device_work
from perfkit.base.errors import NotObservable
from perfkit.io.collectives import Shapes
from perfkit.model.events import ANNOTATIONS, HOST_OPS, UNKNOWN, Collective, Events
from perfkit.model.table import Column, Table

_KINDS = (
    "all_reduce",
    "reduce_scatter",
    "all_gather",
    "all_to_all",
    "send_recv",
    "broadcast",
    "barrier",
    "send",
    "recv",
    "gather",
    "scatter",
    "reduce",
)
_CUSTOM = ("crossdevicereduce", "allreduce")  # the all-reduce kernels of serving engines
_ABOUT = re.compile(r"^(record_param_comms$|nccl:|c10d::)")
_INTS = re.compile(r"^\[(?:\d{1,18}(?:, ?\d{1,18})*)?\]$")
_ROWS = 200
_ENCLOSING = 6  # operators and annotations that PyTorch nests around one launch, with room
_BYTES = {
    **dict.fromkeys(("float", "int", "uint32"), 4),
    **dict.fromkeys(("double", "long", "longint", "uint64", "complexfloat"), 8),
    **dict.fromkeys(("half", "bfloat16", "short", "shortint", "uint16"), 2),
    **dict.fromkeys(("char", "signedchar", "byte", "unsignedchar", "bool"), 1),
    "complexdouble": 16,
}


@dataclass(frozen=True)
class Exchange:
    """One collective as one rank saw it.

    Attributes:
        kind: `all_reduce`, `all_to_all`...; `other` where neither arguments nor kernel name it.
        start_ns, end_ns: of its kernel, on this rank's clock.
        exposed_ns: the part of it in which nothing computed.
        group, ranks, size: the process group's name, members (empty if unknown) and their number.
        sequence: number of the collective within its group, the same on every rank.
        sent_bytes, received_bytes: of this rank; None where the trace does not say.
        in_splits: elements for each rank, where uneven sizes were given.
        launched_ns: start of the call that launched its kernel; None where none was recorded.
    """

    kind: str
    start_ns: int
    end_ns: int
    exposed_ns: int
    group: str = ""
    ranks: tuple[int, ...] = ()
    size: int | None = None
    sequence: int | None = None
    sent_bytes: int | None = None
    received_bytes: int | None = None
    in_splits: tuple[int, ...] = ()
    launched_ns: int | None = None

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def message_bytes(self) -> int | None:
        """The size that nccl-tests divides by time: the whole array, not a rank's part of it."""
        sent, received = self.sent_bytes, self.received_bytes
        if self.kind == "all_gather":
            return received if received is not None else _times(sent, self.size)
        if self.kind == "reduce_scatter":
            return sent if sent is not None else _times(received, self.size)
        return sent if sent is not None else received


@dataclass(frozen=True)
class Communication:
    """All collectives of one rank in launch order; the sums are unions, so overlaps count once."""

    collectives: tuple[Exchange, ...]
    busy_ns: int
    exposed_ns: int

    @property
    def overlapped_ns(self) -> int:
        """Communication while something computed."""
        return self.busy_ns - self.exposed_ns

    def self_check(self) -> None:
        """Raise AssertionError where the parts contradict the whole; tests call it."""
        assert 0 <= self.exposed_ns <= self.busy_ns
        assert all(0 <= c.exposed_ns <= c.duration_ns for c in self.collectives)
        assert sum(c.duration_ns for c in self.collectives) >= self.busy_ns
        assert sum(c.exposed_ns for c in self.collectives) >= self.exposed_ns


def communication(events: Events, shapes: Mapping[int, Shapes]) -> Communication:
    """The collectives on the device of a trace that communicates most.

    Args:
        shapes: what `read_shapes` found; needed only where the events themselves tell no sizes.

    Raises:
        NotObservable: no communication kernel was recorded.
    """
    work = device_work(events)
    if not work.is_comm.any():
        raise NotObservable("the trace holds no communication kernel")
    work = max((work.of(device) for device in work.devices), key=lambda one: one.comm.total)
    mine = np.flatnonzero(work.is_comm)
    launched = np.where(work.launch[mine] >= 0, events.start[work.launch[mine]], work.start[mine])
    mine = mine[np.argsort(launched, kind="stable")]
    hidden = work.compute.covered(work.start[mine], work.end[mine])
    known = _Known(events, shapes)
    collectives = []
    for at, covered in zip(mine.tolist(), hidden.tolist(), strict=True):
        start, end = int(work.start[at]), int(work.end[at])
        call = int(work.launch[at])
        one = known.exchange(int(work.rows[at]), call)
        launched_ns = None if call == UNKNOWN else int(events.start[call])
        collectives.append(
            replace(
                one,
                start_ns=start,
                end_ns=end,
                exposed_ns=end - start - covered,
                launched_ns=launched_ns,
            )
        )
    bare = work.comm - work.compute
    return Communication(tuple(collectives), work.comm.total, bare.total)


def communication_table(found: Communication) -> Table:
    """Collectives of one kind, group and size together, the most exposed time first.

    `bus_bandwidth` is that of the shortest, which waited least for later ranks.
    """
    columns = (
        Column("kind"),
        Column("group"),
        Column("ranks"),
        Column("bytes", "bytes"),
        Column("calls"),
        Column("total_ns", "ns"),
        Column("exposed_ns", "ns"),
        Column("shortest_ns", "ns"),
        Column("bus_bandwidth", "bytes/s"),
    )
    alike: dict[tuple[str, str, int | None, int | None], list[Exchange]] = defaultdict(list)
    for one in found.collectives:
        alike[one.kind, one.group, one.size, one.message_bytes].append(one)
    rows = []
    for (kind, group, size, message), same in alike.items():
        shortest = min(one.duration_ns for one in same)
        total = sum(one.duration_ns for one in same)
        exposed = sum(one.exposed_ns for one in same)
        speed = bus_bandwidth(kind, message, size, shortest)
        rows.append(
            (kind, group or None, size, message, len(same), total, exposed, shortest, speed)
        )
    rows.sort(key=lambda row: (-row[6], row[0], row[3] or 0))
    return Table(columns, tuple(rows[:_ROWS]))


def algorithm_bandwidth(size_bytes: int | None, time_ns: int) -> float | None:
    """Bytes per second as nccl-tests' algbw; None where size or time is unknown."""
    return size_bytes * 1e9 / time_ns if size_bytes is not None and time_ns > 0 else None


def bus_bandwidth(
    kind: str, size_bytes: int | None, ranks: int | None, time_ns: int
) -> float | None:
    """Bytes per second as nccl-tests' busbw; None for unknown sizes, groups or kinds.

    For algorithms in which every rank sends; in-network reduction has a factor of its own.
    """
    base = algorithm_bandwidth(size_bytes, time_ns)
    if base is None or ranks is None or ranks < 2:
        return None
    if kind == "all_reduce":
        return base * 2 * (ranks - 1) / ranks
    if kind in ("all_gather", "reduce_scatter", "all_to_all", "gather", "scatter"):
        return base * (ranks - 1) / ranks
    return base if kind in ("broadcast", "reduce", "send_recv", "send", "recv") else None


def collective_kind(name: str) -> str:
    """The kind that a collective's or kernel's name tells, in any spelling, else `other`."""
    squeezed = name.lower().replace("_", "").replace(*_CUSTOM)
    return next((kind for kind in _KINDS if kind.replace("_", "") in squeezed), "other")


class _Known:
    """What the trace says about a collective besides times, at its kernel and around its launch."""

    def __init__(self, events: Events, shapes: Mapping[int, Shapes]) -> None:
        self._events, self._shapes = events, shapes
        self._told = {each.row: each for each in events.collectives}
        about = events.named(name for name in events.names if _ABOUT.match(name))
        self._rows: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row in np.flatnonzero(about & events.of((*HOST_OPS, *ANNOTATIONS))).tolist():
            self._rows[self._thread(row)].append(row)
        self._starts = {key: events.start[rows].tolist() for key, rows in self._rows.items()}

    def exchange(self, kernel: int, launch: int) -> Exchange:
        """The collective of a kernel that a call launched (UNKNOWN: none recorded), without times."""
        around = [] if launch == UNKNOWN else self._around(launch)
        told = [self._told[row] for row in (kernel, *around) if row in self._told]
        names = [each.kind for each in told] + [self._events.name_of(row) for row in around]
        kinds = [collective_kind(name) for name in (*names, self._events.name_of(kernel))]
        kind = next((kind for kind in kinds if kind != "other"), "other")
        known = told[0] if told else Collective(kernel, "")
        sent, received = _moved(known)
        for row in around:
            if sent is None and received is None:
                shapes = self._shapes.get(int(self._events.external[row]))
                sent, received = _shaped(shapes, self._out_of(around))
        if received is None and kind in ("all_reduce", "broadcast"):
            received = sent
        return Exchange(
            kind=kind,
            start_ns=0,
            end_ns=0,
            exposed_ns=0,
            group=known.group or "",
            ranks=_numbers(known.ranks),
            size=known.group_size,
            sequence=known.sequence,
            sent_bytes=sent,
            received_bytes=received,
            in_splits=_numbers(known.in_split),
        )

    def _around(self, launch: int) -> list[int]:
        """Rows of the operators and annotations about collectives that hold a call, inmost first."""
        key, at = self._thread(launch), int(self._events.start[launch])
        if key not in self._starts:
            return []
        last = bisect_right(self._starts[key], at)
        near = self._rows[key][max(0, last - _ENCLOSING) : last][::-1]
        return [row for row in near if self._events.start[row] + self._events.dur[row] >= at]

    def _out_of(self, around: list[int]) -> int | None:
        """Elements that come out, as the operator around tells them."""
        found = (self._shapes.get(int(self._events.external[row])) for row in around)
        return next((s.out_elements for s in found if s and s.out_elements is not None), None)

    def _thread(self, row: int) -> tuple[int, int]:
        return int(self._events.pid[row]), int(self._events.tid[row])


def _moved(known: Collective) -> tuple[int | None, int | None]:
    item = _item_bytes(known.dtype)
    return _times(known.in_elements, item), _times(known.out_elements, item)


def _shaped(shapes: Shapes | None, out_elements: int | None) -> tuple[int | None, int | None]:
    if shapes is None:
        return None, None
    item = _item_bytes(shapes.dtype)
    return _times(shapes.in_elements, item), _times(out_elements, item)


def _numbers(text: str) -> tuple[int, ...]:
    """A list written as text; empty where it was shortened (`...`) or is something else."""
    return tuple(json.loads(text)) if _INTS.match(text) else ()


def _item_bytes(dtype: str) -> int | None:
    """Bytes of one element in Kineto's and in C++'s spelling of its type."""
    squeezed = dtype.lower().replace("c10::", "").replace(" ", "").replace("<", "").replace(">", "")
    return 1 if squeezed.startswith("float8") else _BYTES.get(squeezed)


def _times(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one * other
