"""The critical path: the chain of work and delays through host and device that took the whole step.

From the last thing that ended, back along the edge of the dependency graph that bound each start
(launch, stream order, wait, event, full queue), to the beginning of the step. Every nanosecond of
the step is on it once, in one class:

    python           host time between calls, outside operators
    aten             host time between calls, inside operators
    runtime          other runtime calls between launches (attributes, allocations, events)
    launch           calls that launch, and from a launch call's start to its kernel's
    sync             what waiting calls cost beside what they waited for, and the return from them
    kernel           device work that the next thing had to wait for
    copy, communication
    queue            a launch held back by a full queue
    device gap       between two pieces of work of a busy stream, or of two streams
    loading          host time between calls, inside the DataLoader's `__next__`
    unrecorded       work was launched, the device idle, and for over 100 µs nothing in the trace
                     says what it waited for: another process, lost events, a device asleep
    idle             before the first thing on the path began

The step bound: with the same work and the same dependencies no schedule is shorter than the longest
chain of work alone (`bound_ns`, all delays zero); the busiest host lane and the busiest stream bound
it, too. A path through waits changes when the waits go: use what-if for that.

Definition after the critical-path method (Kelley and Walker, 1959) on the graph of `dependency_graph`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfkit.analysis._graph_parts import EXPLAINED_NS
from perfkit.analysis._replay import EdgeKind, NodeKind, replay
from perfkit.analysis.dependency_graph import DependencyGraph, loader_rows
from perfkit.analysis.spans import Spans, union
from perfkit.model.events import (
    DEVICE_WORK,
    HOST_OPS,
    RUNTIME,
    UNKNOWN,
    Events,
    Ints,
    Mask,
)
from perfkit.model.table import Column, Table

CLASSES = (
    "python",
    "aten",
    "runtime",
    "launch",
    "sync",
    "kernel",
    "copy",
    "communication",
    "queue",
    "device gap",
    "loading",
    "unrecorded",
    "idle",
)
OF_NODE = {
    NodeKind.LAUNCH: "launch",
    NodeKind.WAIT: "sync",
    NodeKind.KERNEL: "kernel",
    NodeKind.COPY: "copy",
    NodeKind.COMMUNICATION: "communication",
}
OF_EDGE = {
    EdgeKind.HOST_ORDER: "sync",
    EdgeKind.LAUNCH: "launch",
    EdgeKind.STREAM_ORDER: "device gap",
    EdgeKind.WAIT: "sync",
    EdgeKind.EVENT: "device gap",
    EdgeKind.QUEUE: "queue",
}


@dataclass(frozen=True)
class CriticalPath:
    """The path through `graph`.

    Attributes:
        nodes: its nodes in order. delays: before each of them, ns; via: the kind of edge taken,
            UNKNOWN before the first. unrecorded: which part of each delay nothing explains.
        by_class: ns per class, all of CLASSES; sums to the span.
        bound_ns: the longest chain of work with all delays zero.
        host_ns, device_ns: work of the busiest host lane (without waits that the trace explains) and
            of the busiest stream.
    """

    graph: DependencyGraph
    nodes: Ints
    delays: Ints
    via: Ints
    unrecorded: Ints
    by_class: Mapping[str, int]
    bound_ns: int
    host_ns: int
    device_ns: int

    @property
    def length_ns(self) -> int:
        """Length of the path: work and delays."""
        return int(self.graph.nodes.dur[self.nodes].sum() + self.delays.sum())

    def self_check(self) -> None:
        """Raise AssertionError unless the path, and its classes, are as long as the step."""
        assert self.length_ns == self.graph.span_ns
        assert sum(self.by_class.values()) == self.graph.span_ns
        assert all(value >= 0 for value in self.by_class.values())
        assert max(self.host_ns, self.device_ns) <= self.bound_ns <= self.graph.span_ns


def critical_path(graph: DependencyGraph) -> CriticalPath:
    """The path that ends with the last thing the graph holds."""
    path, via = _walk(graph)
    ends = graph.nodes.end[path]
    delays = graph.nodes.start[path] - np.concatenate(([graph.begin_ns], ends[:-1]))
    unrecorded = _unrecorded(graph, path, delays, via)
    lane = graph.nodes.kind <= int(NodeKind.WAIT)
    busy = np.zeros(len(graph.resources), np.int64)
    np.add.at(busy, graph.nodes.resource, graph.nodes.dur)
    hosts = np.unique(graph.nodes.resource[lane])
    streams = np.unique(graph.nodes.resource[~lane])
    return CriticalPath(
        graph=graph,
        nodes=path,
        delays=delays,
        via=via,
        unrecorded=unrecorded,
        by_class=_by_class(graph, path, delays - unrecorded, via)
        | {"unrecorded": int(unrecorded.sum())},
        bound_ns=_bound(graph),
        host_ns=int(busy[hosts].max()),
        device_ns=max((_occupied(graph, int(stream)) for stream in streams), default=0),
    )


def _walk(graph: DependencyGraph) -> tuple[Ints, Ints]:
    """Nodes of the path, first to last, and the kind of the edge into each."""
    edges, nodes = graph.edges, graph.nodes
    binds = nodes.end[edges.src] + edges.delay == nodes.start[edges.dst]
    into = np.full(len(nodes), UNKNOWN, np.int64)
    into[edges.dst[binds]] = np.flatnonzero(binds)  # of several the one that arrived last
    path, via = [], []
    node = int(np.argmax(nodes.end))
    while True:
        edge = int(into[node])
        path.append(node)
        via.append(UNKNOWN if edge < 0 else int(edges.kind[edge]))
        if edge < 0:
            break
        node = int(edges.src[edge])
    return np.array(path[::-1], np.int64), np.array(via[::-1], np.int64)


def _bound(graph: DependencyGraph) -> int:
    """Longest chain of work alone; what was under way at the start still counts from there."""
    start = np.full(len(graph.nodes), graph.begin_ns, np.int64)
    ends = replay(graph.nodes.dur, graph.edges, np.zeros_like(graph.edges.delay), start)
    return int(ends.max()) - graph.begin_ns


def _occupied(graph: DependencyGraph, resource: int) -> int:
    """Work that lies on one chain of a stream; work of a stream may overlap (graph replays)."""
    mine = np.flatnonzero(graph.nodes.resource == resource)
    chain = np.isin(graph.edges.src, mine) & np.isin(graph.edges.dst, mine)
    longest = dict.fromkeys(mine.tolist(), 0)
    pairs = zip(graph.edges.src[chain].tolist(), graph.edges.dst[chain].tolist(), strict=True)
    dur = graph.nodes.dur.tolist()
    for src, dst in pairs:
        longest[dst] = max(longest[dst], longest[src] + dur[src])
    return max((before + dur[node] for node, before in longest.items()), default=0)


def _unrecorded(graph: DependencyGraph, path: Ints, delays: Ints, via: Ints) -> Ints:
    """The part of each delay of device work after its launch returned, with all devices idle."""
    nodes, events = graph.nodes, graph.events
    found = np.zeros(len(delays), np.int64)
    long = np.flatnonzero((delays > EXPLAINED_NS) & (nodes.kind[path] > int(NodeKind.WAIT)))
    if not len(long):
        return found
    high = nodes.start[path[long]]
    low = high - delays[long]
    order = graph.edges.kind == int(EdgeKind.HOST_ORDER)
    call = np.full(len(nodes), UNKNOWN, np.int64)
    call[graph.edges.src[order]] = nodes.row[graph.edges.dst[order]]
    launched = np.flatnonzero(via[long] == int(EdgeKind.LAUNCH))
    row = call[path[long[launched] - 1]]
    low[launched] = np.clip(events.end[row], low[launched], high[launched])
    rest = high - low - _spans(events, events.of(DEVICE_WORK)).covered(low, high)
    found[long] = np.where(rest > EXPLAINED_NS, rest, 0)
    return found


def _by_class(graph: DependencyGraph, path: Ints, delays: Ints, via: Ints) -> dict[str, int]:
    nodes = graph.nodes
    total = dict.fromkeys(CLASSES, 0)
    for kind, category in OF_NODE.items():
        total[category] += int(nodes.dur[path[nodes.kind[path] == int(kind)]].sum())
    for edge, category in OF_EDGE.items():
        total[category] += int(delays[via == int(edge)].sum())
    total["idle"] += int(delays[via == UNKNOWN].sum())
    between = path[nodes.kind[path] == int(NodeKind.HOST)]
    for category, ns in host_parts(graph, between).items():
        total[category] += int(ns.sum())
    return total


def host_parts(graph: DependencyGraph, between: Ints) -> dict[str, Ints]:
    """Python, ATen, runtime and loading time of host nodes; each instant counts for the innermost.

    Inside the loader everything is loading.
    """
    nodes, events = graph.nodes, graph.events
    low, high = nodes.start[between], nodes.end[between]
    runtime, inside, loading = np.zeros((3, len(between)), np.int64)
    lane_of = graph.threads
    calls = np.flatnonzero(nodes.kind <= int(NodeKind.WAIT))
    calls = calls[nodes.row[calls] >= 0]
    loader = np.zeros(len(events), np.bool_)
    loader[loader_rows(events)] = True
    for lane in np.unique(nodes.resource[between]):
        mine = nodes.resource[between] == lane
        ours = np.isin(lane_of, lane_of[nodes.row[calls[nodes.resource[calls] == lane]]])
        all_low, all_high = low[mine], high[mine]
        loads = _spans(events, ours & loader)
        runs = _spans(events, ours & events.of(RUNTIME)) - loads
        works = _spans(events, ours & events.of((*RUNTIME, *HOST_OPS))) - loads
        loading[mine] = loads.covered(all_low, all_high)
        runtime[mine] = runs.covered(all_low, all_high)
        inside[mine] = works.covered(all_low, all_high)
    python = high - low - inside - loading
    return {"python": python, "aten": inside - runtime, "runtime": runtime, "loading": loading}


def _spans(events: Events, mask: Mask) -> Spans:
    return union(events.start[mask], events.end[mask])


def critical_path_table(path: CriticalPath) -> Table:
    """Time per step on the path by class, with its share of the step."""
    steps = path.graph.steps
    rows = tuple(
        (name, round(ns / steps), ns / path.length_ns) for name, ns in path.by_class.items()
    )
    return Table((Column("class"), Column("path_ns", "ns"), Column("share", "ratio")), rows)
