"""Where idle time ends: bubbles grouped by cause, by the operator at their edge, and by Python line.

The edge is the wait that drained the device where a sync is the cause, else the launch that ended
the bubble. A bubble counts whole for its largest cause. The place is known for the longest bubbles,
where the trace has Python frames; groups without it hold the many short ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_idle import CAUSES, DeviceIdle
from perfkit.analysis.sync_waits import WaitCost
from perfkit.io.trace_frames import Around
from perfkit.model.events import UNKNOWN, Events, Ints
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table

_LONGEST = 200
_ROWS = 60
COLUMNS = (
    Column("device"),
    Column("cause"),
    Column("op"),
    Column("file"),
    Column("line"),
    Column("function"),
    Column("bubbles"),
    Column("idle_ns", "ns"),
    Column("longest_ns", "ns"),
    Column("share", "ratio"),
)


@dataclass(frozen=True)
class Edge:
    """Bubbles of one device, cause, operator and place; `share` is of the time of all steps."""

    device: int
    cause: str
    op: str | None
    place: Frame | None
    bubbles: int
    idle_ns: int
    longest_ns: int
    share: float


def idle_edges(
    events: Events,
    idle: Iterable[DeviceIdle],
    waits: tuple[WaitCost, ...],
    op_of_launch: Mapping[int, int],
) -> tuple[Edge, ...]:
    """The groups, most idle time first.

    Args:
        op_of_launch: row of the operator that made each launch call, by the call's row.
    """
    around = Around(events)
    ops = _Ops(events, waits, op_of_launch)
    edges = [edge for device in idle for edge in _edges(device, ops, around)]
    return tuple(sorted(edges, key=lambda edge: (-edge.idle_ns, edge.cause, edge.op or "")))


def idle_edges_table(edges: Iterable[Edge]) -> Table:
    """The first of them, a row each."""
    rows = tuple(
        (
            edge.device,
            edge.cause,
            edge.op,
            edge.place.file if edge.place else None,
            edge.place.line if edge.place else None,
            edge.place.function if edge.place else None,
            edge.bubbles,
            edge.idle_ns,
            edge.longest_ns,
            edge.share,
        )
        for edge in list(edges)[:_ROWS]
    )
    return Table(COLUMNS, rows)


class _Ops:
    """Names of the operators at the edges, as codes: those of the events first, the waits' behind."""

    def __init__(
        self, events: Events, waits: tuple[WaitCost, ...], op_of_launch: Mapping[int, int]
    ) -> None:
        self._events, self.waits = events, waits
        self._calls = np.array(sorted(op_of_launch), np.int64)
        self._owners = np.array([op_of_launch[call] for call in self._calls.tolist()], np.int64)
        self.names: list[str | None] = [*events.names, *(cost.wait.op for cost in waits), None]

    def codes(self, device: DeviceIdle) -> Ints:
        """The operator at the edge of each bubble."""
        nobody = len(self.names) - 1
        owner = np.full(len(device.launch), UNKNOWN, np.int64)
        if len(self._calls):
            at = np.minimum(np.searchsorted(self._calls, device.launch), len(self._calls) - 1)
            owner = np.where(self._calls[at] == device.launch, self._owners[at], UNKNOWN)
        code = np.where(owner != UNKNOWN, self._events.name[owner], nobody)
        drained = (device.cause == CAUSES.index("sync")) & (device.wait != UNKNOWN)
        return np.where(drained, len(self._events.names) + device.wait, code)


def _edges(device: DeviceIdle, ops: _Ops, around: Around) -> list[Edge]:
    length, cause, code = device.end - device.start, device.cause, ops.codes(device)
    frames = _frames(device, ops.waits, around)
    groups: dict[tuple[str, str | None, Frame | None], list[tuple[int, int, int]]]
    groups = defaultdict(list)
    for i, frame in frames.items():
        name = ops.names[int(code[i])]
        groups[CAUSES[int(cause[i])], name, frame].append((1, int(length[i]), int(length[i])))
    rest = np.ones(len(length), np.bool_)
    rest[list(frames)] = False
    key, index = np.unique(code[rest] * len(CAUSES) + cause[rest], return_inverse=True)
    count = np.bincount(index, minlength=len(key))
    total, longest = np.zeros(len(key), np.int64), np.zeros(len(key), np.int64)
    np.add.at(total, index, length[rest])
    np.maximum.at(longest, index, length[rest])
    for i, one in enumerate(key.tolist()):
        group = CAUSES[one % len(CAUSES)], ops.names[one // len(CAUSES)], None
        groups[group].append((int(count[i]), int(total[i]), int(longest[i])))
    return [
        Edge(
            device=device.device,
            cause=name,
            op=op,
            place=place,
            bubbles=sum(part[0] for part in parts),
            idle_ns=(total_ns := sum(part[1] for part in parts)),
            longest_ns=max(part[2] for part in parts),
            share=total_ns / device.step_ns,
        )
        for (name, op, place), parts in groups.items()
    ]


def _frames(device: DeviceIdle, waits: tuple[WaitCost, ...], around: Around) -> dict[int, Frame]:
    """The user's frame at the edge of the longest bubbles, where there is one."""
    found = {}
    for i in np.argsort(device.start - device.end, kind="stable")[:_LONGEST].tolist():
        wait = int(device.wait[i])
        if wait != UNKNOWN and CAUSES[int(device.cause[i])] == "sync":
            stack = waits[wait].wait.stack
        else:
            stack = around.frames(int(device.launch[i]))
        if stack:
            found[i] = stack[0]
    return found
