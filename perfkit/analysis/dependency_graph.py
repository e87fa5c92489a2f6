"""The dependency graph of one or several steps, and its replay.

A node is a stretch of work on one resource: host time between two calls, a runtime call that
launches or waits, a kernel, a copy. An edge says that one node starts no earlier than another's
end plus a delay:

    host order    what a thread does next comes after what it did last
    launch        device work starts after its launch call began (a graph launch starts many)
    stream order  device work starts after the work before it on its stream
    wait          the host goes on after the awaited work ended (stream, device, event, own copy)
    event         a stream goes on after the awaited work of another stream
    queue         a launch returns only when the stream's queue has room (1024 launches)

A replay is one pass over the nodes in order: start = the latest of (end of a predecessor + delay).
Each node's binding edge carries the delay that was observed, so the unedited replay gives the trace
back to the nanosecond. That proves nothing about the model, so `calibration` replays with one
*typical* delay per kind of edge instead (medians of the same trace): its error is how far the model
alone is from the measurement, and it widens every what-if.

Does not know: why a communication kernel lasted (other ranks), what a thread without launches did
for another, dependencies through memory that no wait expresses, where a step really ends: its time
here is from the mark's start to the end of the last thing it launched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perfkit.analysis._graph_parts import edges_of, nodes_of, parts_of
from perfkit.analysis._replay import EdgeKind, Edges, NodeKind, Nodes, replay
from perfkit.base.errors import NotObservable
from perfkit.io._nesting import threads as thread_codes
from perfkit.model.events import (
    ANNOTATIONS,
    HOST_OPS,
    RUNTIME,
    UNKNOWN,
    Events,
    Ints,
    Mask,
    StepWindow,
)
from perfkit.model.table import Column, Table

_LOADER = "enumerate(DataLoader)"

__all__ = [
    "DependencyGraph",
    "Calibration",
    "NodeKind",
    "EdgeKind",
    "dependency_graph",
    "calibrations",
    "calibration_table",
    "loader_rows",
]


@dataclass(frozen=True)
class Calibration:
    """How well typical delays alone reproduce the measured time."""

    measured_ns: int
    modelled_ns: int

    @property
    def error(self) -> float:
        """|modelled - measured| / measured."""
        return abs(self.modelled_ns - self.measured_ns) / self.measured_ns


@dataclass(frozen=True)
class DependencyGraph:
    """Nodes and edges of `steps` steps between `begin_ns` and `begin_ns + span_ns`.

    `resources` names host lanes ("host thread 4242") and streams ("stream 7 of device 0").
    `window_end_ns` is where the last step's mark ends.
    """

    events: Events
    nodes: Nodes
    edges: Edges
    resources: tuple[str, ...]
    begin_ns: int
    window_end_ns: int
    steps: int = 1

    @cached_property
    def span_ns(self) -> int:
        """Measured: from the start of the window to the end of the last thing it started."""
        return int(self.nodes.end.max()) - self.begin_ns

    @cached_property
    def threads(self) -> Ints:
        """One code per (process, thread) of each event."""
        return thread_codes(self.events)

    @cached_property
    def entries(self) -> Ints:
        """Earliest start of each node that waits for nothing; the beginning for all others."""
        free = np.ones(len(self.nodes), np.bool_)
        free[self.edges.dst] = False
        return np.where(free, self.nodes.start, self.begin_ns)

    @cached_property
    def calibration(self) -> Calibration:
        modelled = replay(self.nodes.dur, self.edges, self.edges.typical, self.entries)
        return Calibration(self.span_ns, int(modelled.max()) - self.begin_ns)

    @cached_property
    def unqueued_ns(self) -> int:
        """The time of an unedited replay in which no launch ever waits for a full queue."""
        kept = self.edges.kind != int(EdgeKind.QUEUE)
        if bool(kept.all()):
            return self.span_ns
        old = self.edges
        columns = (old.src, old.dst, old.kind, old.delay, old.typical)
        edges = Edges(*(column[kept] for column in columns))
        ends = replay(self.nodes.dur, edges, edges.delay, self.entries)
        return int(ends.max()) - self.begin_ns

    def wait_rows(self) -> Ints:
        """Event rows of the calls that waited for something, or might have."""
        rows: Ints = self.nodes.row[self.nodes.kind == NodeKind.WAIT]
        return np.sort(rows)

    def with_rows(self, rows: Sequence[int] | Ints) -> Mask:
        """Which nodes belong to these event rows."""
        wanted = np.zeros(len(self.events) + 1, np.bool_)
        wanted[np.asarray(rows, np.int64)] = True
        wanted[UNKNOWN] = False
        found: Mask = wanted[self.nodes.row]
        return found

    def self_check(self) -> None:
        """Raise AssertionError unless edges point forward and the replay gives the trace back."""
        nodes, edges = self.nodes, self.edges
        assert bool((edges.src < edges.dst).all())
        assert bool((edges.delay >= 0).all())
        assert bool((nodes.dur >= 0).all())
        replayed = replay(nodes.dur, edges, edges.delay, self.entries)
        assert bool((replayed == nodes.end).all()), np.flatnonzero(replayed != nodes.end)


def dependency_graph(events: Events, steps: Sequence[StepWindow] = ()) -> DependencyGraph:
    """The graph from the start of the first to the end of the last of these steps.

    Without steps it covers the host's whole trace and counts as one step.

    Raises:
        NotObservable: no call launched anything or waited there.
    """
    begin, end = _window(events, steps)
    parts = parts_of(events, begin, end)
    nodes, resources = nodes_of(parts)
    return DependencyGraph(
        events=events,
        nodes=nodes,
        edges=edges_of(parts, nodes),
        resources=resources,
        begin_ns=begin,
        window_end_ns=end,
        steps=max(1, len(steps)),
    )


def loader_rows(events: Events) -> Ints:
    """The DataLoader's marks around each batch it hands out."""
    names = [name for name in events.names if name.startswith(_LOADER)]
    return np.flatnonzero(events.named(names) & events.of((*HOST_OPS, *ANNOTATIONS)))


def _window(events: Events, steps: Sequence[StepWindow]) -> tuple[int, int]:
    if steps:
        return min(step.start_ns for step in steps), max(step.end_ns for step in steps)
    work = events.of((*HOST_OPS, *RUNTIME))
    if not work.any():
        raise NotObservable("the trace holds no operator and no runtime call")
    return int(events.start[work].min()), int(events.end[work].max())


def calibrations(events: Events, steps: Sequence[StepWindow]) -> tuple[Calibration, ...]:
    """One calibration per step that has launches or waits."""
    found = []
    for step in steps:
        try:
            found.append(dependency_graph(events, (step,)).calibration)
        except NotObservable:
            continue
    return tuple(found)


def calibration_table(events: Events, steps: Sequence[StepWindow]) -> Table:
    """Measured and modelled time per step, and the error between them."""
    rows = []
    for step in steps:
        (one,) = calibrations(events, (step,)) or (None,)
        cells = (None, None, None) if one is None else (one.measured_ns, one.modelled_ns, one.error)
        rows.append((step.number, *cells))
    columns = (
        Column("step"),
        Column("measured_ns", "ns"),
        Column("modelled_ns", "ns"),
        Column("error", "ratio"),
    )
    return Table(columns, tuple(rows))
