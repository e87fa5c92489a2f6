"""Kernels and copies by name, and by the operator that launched them.

`share` is of the summed time of all device work inside the steps. Streams may overlap, so that sum
can exceed the busy time; the breakdown of the step is where overlap counts once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.model.events import UNKNOWN, Events, Ints, Mask
from perfkit.model.table import Column, Table

NO_LAUNCH = "(no launching operator recorded)"
_ROWS = 200
_COMPUTE, _COMM, _COPY = "compute", "communication", "copy"
COLUMNS = (
    Column("name"),
    Column("kind"),
    Column("calls", "per step"),
    Column("time_ns", "ns"),
    Column("mean_ns", "ns"),
    Column("longest_ns", "ns"),
    Column("share", "ratio"),
    Column("op"),
)
OP_COLUMNS = (
    Column("op"),
    Column("kernels", "per step"),
    Column("time_ns", "ns"),
    Column("share", "ratio"),
)


@dataclass(frozen=True)
class KernelStat:
    """All work of one name inside the steps; `op` launched most of it."""

    name: str
    kind: str
    calls: int
    time_ns: int
    longest_ns: int
    op: str | None


@dataclass(frozen=True)
class Kernels:
    """By name and by operator, the longest first, with the number of steps they are spread over."""

    by_name: tuple[KernelStat, ...]
    by_op: tuple[tuple[str, int, int], ...]
    steps: int
    time_ns: int

    def self_check(self) -> None:
        """Raise AssertionError unless names and operators both sum to the whole."""
        assert sum(stat.time_ns for stat in self.by_name) == self.time_ns
        assert sum(time for _, _, time in self.by_op) == self.time_ns


def kernels(events: Events, steps: TraceSteps, work: DeviceWork, owner: Ints) -> Kernels:
    """The device work that began inside a step, or was launched there.

    Args:
        owner: for each piece of work the row of its operator (`io.trace_ops.device_owners`).
    """
    inside = in_steps(events, steps, work)
    name = events.name[work.rows[inside]]
    op = np.where(owner[inside] != UNKNOWN, events.name[owner[inside]], len(events.names))
    time = (work.end - work.start)[inside]
    kind = np.where(work.is_copy[inside], 2, np.where(work.is_comm[inside], 1, 0))
    texts = (*events.names, NO_LAUNCH)
    return Kernels(
        by_name=tuple(_by_name(name, op, time, kind, texts)),
        by_op=tuple(_by_op(op, time, texts)),
        steps=max(1, len(steps.windows)),
        time_ns=int(time.sum()),
    )


def in_steps(events: Events, steps: TraceSteps, work: DeviceWork) -> Mask:
    """Which device work began inside a step, or was launched there."""
    launched = np.where(work.launch != UNKNOWN, events.start[work.launch], work.start)
    inside: Mask = (steps.index_of(launched) != UNKNOWN) | (steps.index_of(work.start) != UNKNOWN)
    return inside


def _by_name(
    name: Ints, op: Ints, time: Ints, kind: Ints, texts: tuple[str, ...]
) -> Iterator[KernelStat]:
    calls, total, longest = _sums(name, time, len(texts))
    pairs, per_pair = np.unique(name * len(texts) + op, return_counts=True)
    main: dict[int, tuple[int, int]] = {}
    for pair, count in zip(pairs.tolist(), per_pair.tolist(), strict=True):
        code, owner = divmod(pair, len(texts))
        main[code] = max(main.get(code, (0, 0)), (count, owner))
    kinds = dict(zip(name.tolist(), kind.tolist(), strict=True))
    found = np.flatnonzero(calls)
    for code in found[np.lexsort((found, -total[found]))].tolist():
        owner = main[code][1]
        yield KernelStat(
            name=texts[code],
            kind=(_COMPUTE, _COMM, _COPY)[kinds[code]],
            calls=int(calls[code]),
            time_ns=int(total[code]),
            longest_ns=int(longest[code]),
            op=None if owner == len(texts) - 1 else texts[owner],
        )


def _by_op(op: Ints, time: Ints, texts: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
    calls, total, _ = _sums(op, time, len(texts))
    found = np.flatnonzero(calls)
    for code in found[np.lexsort((found, -total[found]))].tolist():
        yield texts[code], int(calls[code]), int(total[code])


def _sums(code: Ints, time: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    calls = np.bincount(code, minlength=size)
    total, longest = np.zeros(size, np.int64), np.zeros(size, np.int64)
    np.add.at(total, code, time)
    np.maximum.at(longest, code, time)
    return calls.astype(np.int64), total, longest


def kernels_table(found: Kernels) -> Table:
    """Names by time; times and calls are per step."""
    rows = tuple(
        (
            stat.name,
            stat.kind,
            stat.calls / found.steps,
            round(stat.time_ns / found.steps),
            round(stat.time_ns / stat.calls),
            stat.longest_ns,
            stat.time_ns / found.time_ns if found.time_ns else None,
            stat.op,
        )
        for stat in found.by_name[:_ROWS]
    )
    return Table(COLUMNS, rows)


def kernel_ops_table(found: Kernels) -> Table:
    """Launching operators by the time of what they launched, per step."""
    rows = tuple(
        (
            op,
            calls / found.steps,
            round(time / found.steps),
            time / found.time_ns if found.time_ns else None,
        )
        for op, calls, time in found.by_op[:_ROWS]
    )
    return Table(OP_COLUMNS, rows)
