"""When a device's queue runs empty because the host launches too late, and what it launches then.

The device is starved while it idles, nothing that it could run is launched, and the host does not
wait for it: it runs Python, operators or calls of the runtime. Waits of the host and loading are no
part of it, and neither is work that is queued behind another stream or a collective: see
`device_idle`, whose columns are added up here. By operator and line stretches count whole for what
was launched at their end (`idle_edges`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_idle import CAUSES, DeviceIdle
from perfkit.analysis.idle_edges import Edge
from perfkit.analysis.trace_reading import TraceReading
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.base.errors import NotObservable
from perfkit.model.events import UNKNOWN, Ints
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table

LATE = ("python", "aten", "launching", "other")
_USED = 0.01
COLUMNS = (
    Column("step"),
    Column("starved_ns", "ns"),
    Column("share", "ratio"),
    Column("launches"),
    Column("queue_empty_share", "ratio"),
)


@dataclass(frozen=True)
class StarvedQueue:
    """One device whose queue the host does not fill in time.

    Attributes:
        per_step, steps_ns: starved ns, and length, of each step.
        launches: per step, of all devices.
        empty: share of each step in which nothing was launched and unbegun, for whatever reason.
        ops, lines: operators and lines that launched when it ended, with ns over all steps, most
            first.
    """

    device: int
    per_step: Ints
    steps_ns: Ints
    launches: tuple[int, ...]
    empty: tuple[float, ...]
    ops: tuple[tuple[str, int], ...]
    lines: tuple[tuple[Frame, int], ...]

    @property
    def total_ns(self) -> int:
        return int(self.per_step.sum())

    @property
    def share(self) -> float:
        """Of the time of all steps."""
        total = int(self.steps_ns.sum())
        return self.total_ns / total if total else 0.0

    def self_check(self, idle: DeviceIdle) -> None:
        """Raise AssertionError unless the steps sum to what the device idled for these causes."""
        columns = [CAUSES.index(cause) for cause in LATE]
        assert self.total_ns == int(idle.split[:, columns].sum())
        assert bool((self.per_step >= 0).all() and (self.per_step <= self.steps_ns).all())


def starved_queue(reading: TraceReading) -> StarvedQueue:
    """Of the device that starves most, those left out that do next to nothing.

    Raises:
        NotObservable: the trace has no device work, or joins none with its launch.
    """
    if not reading.idle:
        raise NotObservable("the trace holds no work of a device")
    if reading.launched is None:
        raise NotObservable("the trace joins no launch with work on a device")
    columns = [CAUSES.index(cause) for cause in LATE]
    device = max(_used(reading.idle), key=lambda idle: int(idle.split[:, columns].sum()))
    late = device.split[:, columns].sum(axis=1)
    edges = [e for e in reading.edges if e.device == device.device and e.cause in LATE]
    return StarvedQueue(
        device=device.device,
        per_step=_by_step(device, late, reading.steps),
        steps_ns=reading.steps.ends - reading.steps.starts,
        launches=tuple(step.launches for step in reading.step_launches),
        empty=tuple(step.queue_empty_share for step in reading.step_launches),
        ops=_ranked(edges),
        lines=_lines(edges),
    )


def starved_queue_table(found: StarvedQueue) -> Table:
    """One row per step."""
    rows = tuple(
        (number, ns, ns / length if length else None, launches, empty)
        for number, (ns, length, launches, empty) in enumerate(
            zip(
                found.per_step.tolist(),
                found.steps_ns.tolist(),
                found.launches,
                found.empty,
                strict=True,
            )
        )
    )
    return Table(COLUMNS, rows)


def _used(idle: tuple[DeviceIdle, ...]) -> list[DeviceIdle]:
    """The devices that the steps run on."""
    busy = [device.step_ns - device.total_ns for device in idle]
    return [d for d, ns in zip(idle, busy, strict=True) if ns >= _USED * max(busy)]


def _by_step(device: DeviceIdle, late: Ints, steps: TraceSteps) -> Ints:
    """Bubbles lie within steps, since idle time is cut at their edges; adjacent ones may share one."""
    index = steps.index_of(device.start)
    sums = np.zeros(len(steps.windows), np.int64)
    known = index != UNKNOWN
    np.add.at(sums, index[known], late[known])
    return _carried(sums, steps.ends - steps.starts)


def _carried(sums: Ints, lengths: Ints) -> Ints:
    """A stretch across the edge of two steps is the next one's where it exceeds the first."""
    sums = sums.copy()
    for at in range(len(sums) - 1):
        over = max(0, int(sums[at] - lengths[at]))
        sums[at] -= over
        sums[at + 1] += over
    return sums


def _ranked(edges: list[Edge]) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = defaultdict(int)
    for edge in edges:
        if edge.op is not None:
            sums[edge.op] += edge.idle_ns
    return tuple(sorted(sums.items(), key=lambda pair: -pair[1]))


def _lines(edges: list[Edge]) -> tuple[tuple[Frame, int], ...]:
    sums: dict[Frame, int] = defaultdict(int)
    for edge in edges:
        if edge.place is not None:
            sums[edge.place] += edge.idle_ns
    return tuple(sorted(sums.items(), key=lambda pair: -pair[1]))
