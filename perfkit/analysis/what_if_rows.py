"""The what-if questions worth asking of any trace, and their answers as a table.

    no waits              every wait of the program gone, together
    without               the waits of one line, or of one operator where no line is known
    copies overlapped     copies beside the kernels, and none that the host waits for
    one graph per step    the launches of each step captured in one CUDA graph, waits among them gone
    kernel 2x faster      the kernel that takes most device time
    collectives 2x faster
    host 2x faster        Python, operators and launching calls, never waits
    loading in background the DataLoader's batches at no cost to the program's own thread
    all findings          what the diagnosis found, replayed together; added by the rules

Each row is a joint replay of its edits. Rows overlap: their savings never add up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from perfkit.analysis._replay import NodeKind
from perfkit.analysis.dependency_graph import loader_rows
from perfkit.analysis.sync_waits import WaitCost
from perfkit.analysis.trace_graph import TraceGraph
from perfkit.analysis.what_if import (
    Captured,
    Edit,
    Faster,
    HostFaster,
    Overlapped,
    WithoutWaits,
)
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table

NO_WAITS = "no waits"
WITHOUT = "without waits"
OVERLAPPED = "copies overlapped"
CAPTURED = "one CUDA graph per step"
KERNEL = "kernel 2x faster"
COLLECTIVES = "collectives 2x faster"
HOST = "host 2x faster"
LOADING = "loading in the background"
TOGETHER = "all findings together"

BACKGROUND = float("inf")
"""So many times faster loading costs the program's thread nothing."""

_SITES = 4
_MOST_VISITS = 120_000
"""Nodes times rows: some 0.2 s of replays. The rows asked first win."""
_LEAST_ROWS = 3
_FEW_LAUNCHES = 10
COLUMNS = (
    Column("edit"),
    Column("name"),
    Column("file"),
    Column("line"),
    Column("function"),
    Column("before_ns", "ns"),
    Column("low_ns", "ns"),
    Column("likely_ns", "ns"),
    Column("high_ns", "ns"),
)


@dataclass(frozen=True)
class Question:
    """One row: what is done (a constant of this module), to what, where."""

    what: str
    edits: tuple[Edit, ...]
    name: str | None = None
    place: Frame | None = None


def wait_rows(found: TraceGraph, waits: Iterable[WaitCost]) -> tuple[int, ...]:
    """The graph's rows of all waiting calls within these waits."""
    rows = found.graph.wait_rows()
    start, tid = found.graph.events.start[rows], found.graph.events.tid[rows]
    mine: list[int] = []
    for cost in waits:
        first = found.rows_of((cost.wait.row,))
        if first:
            low, high = np.searchsorted(start, (cost.wait.begin_ns, cost.wait.end_ns))
            same = tid[low:high] == found.graph.events.tid[first[0]]
            mine += rows[low:high][same].tolist()
    return tuple(sorted(set(mine)))


def launch_rows(found: TraceGraph) -> list[tuple[int, ...]]:
    """For each step the rows of its calls that launch or wait."""
    graph = found.graph
    nodes = graph.nodes
    calls = np.flatnonzero((nodes.kind == NodeKind.LAUNCH) | (nodes.kind == NodeKind.WAIT))
    rows, start = nodes.row[calls], nodes.start[calls]
    cut = np.searchsorted([step.start_ns for step in found.steps], start, side="right")
    return [tuple(np.sort(rows[cut == step]).tolist()) for step in np.unique(cut)]


def loader(found: TraceGraph) -> tuple[int, ...]:
    """The graph's rows of the DataLoader's marks."""
    return tuple(loader_rows(found.graph.events).tolist())


def questions(found: TraceGraph, waits: Sequence[WaitCost]) -> tuple[Question, ...]:
    """The default rows, those about waits first, as many as may be replayed."""
    asked = [q for q in _all(found, waits) if q.edits]
    most = max(_LEAST_ROWS, _MOST_VISITS // max(1, len(found.graph.nodes)))
    return tuple(asked[:most])


def _all(found: TraceGraph, waits: Sequence[WaitCost]) -> Iterator[Question]:
    sites = _sites(found, waits)
    every = wait_rows(found, waits)
    if len(sites) > 1:
        yield Question(NO_WAITS, (WithoutWaits(every),))
    yield from sites[:1]
    yield Question(HOST, (HostFaster(2),))
    yield from _captured(found)
    yield from _loading(found)
    yield from _kernels(found)
    yield from _copies(found)
    yield from sites[1:_SITES]


def _sites(found: TraceGraph, waits: Sequence[WaitCost]) -> list[Question]:
    groups: dict[tuple[str, Frame | None], list[WaitCost]] = defaultdict(list)
    for cost in waits:
        place = cost.wait.stack[0] if cost.wait.stack else None
        groups[cost.wait.op, place].append(cost)
    ranked = sorted(groups.items(), key=lambda item: _weight(item[1]), reverse=True)
    asked = []
    for (op, place), costs in ranked[: 2 * _SITES]:
        rows = wait_rows(found, costs)
        if rows:
            asked.append(Question(WITHOUT, (WithoutWaits(rows),), op, place))
    return asked


def _weight(costs: Iterable[WaitCost]) -> tuple[int, int]:
    costs = list(costs)
    return sum(c.lost_ns or 0 for c in costs), sum(c.wait.blocked_ns for c in costs)


def _captured(found: TraceGraph) -> Iterator[Question]:
    """Silent where a step launches next to nothing, as one replayed as a graph does."""
    launches = int((found.graph.nodes.kind == NodeKind.LAUNCH).sum())
    if launches > _FEW_LAUNCHES * found.graph.steps:
        yield Question(CAPTURED, tuple(Captured(rows) for rows in launch_rows(found)))


def _loading(found: TraceGraph) -> Iterator[Question]:
    rows = loader(found)
    if rows:
        yield Question(LOADING, (HostFaster(BACKGROUND, rows),))


def _kernels(found: TraceGraph) -> Iterator[Question]:
    graph = found.graph
    kernels = np.flatnonzero(graph.nodes.kind == NodeKind.KERNEL)
    if len(kernels):
        rows = graph.nodes.row[kernels]
        names = graph.events.name[rows]
        top = int(np.argmax(np.bincount(names, graph.nodes.dur[kernels])))
        chosen = tuple(rows[names == top].tolist())
        yield Question(KERNEL, (Faster(chosen, 2),), graph.events.names[top])
    talks = graph.nodes.row[graph.nodes.kind == NodeKind.COMMUNICATION]
    if len(talks):
        yield Question(COLLECTIVES, (Faster(tuple(talks.tolist()), 2),))


def _copies(found: TraceGraph) -> Iterator[Question]:
    nodes = found.graph.nodes
    copies = nodes.row[nodes.kind == NodeKind.COPY]
    if len(copies):
        yield Question(OVERLAPPED, (Overlapped(tuple(copies.tolist())),))


def what_if_rows(found: TraceGraph, asked: Iterable[Question]) -> Table:
    """The answers, the largest likely gain first.

    Raises:
        NotObservable: nothing may be predicted from this trace.
    """
    rows = []
    for one in asked:
        told = found.predict(one.edits)
        place = one.place
        rows.append(
            (
                one.what,
                one.name,
                place.file if place else None,
                place.line if place else None,
                place.function if place else None,
                told.before_ns,
                told.low_ns,
                told.likely_ns,
                told.high_ns,
            )
        )
    return Table(COLUMNS, tuple(sorted(rows, key=lambda row: (row[7], row[8]))))
