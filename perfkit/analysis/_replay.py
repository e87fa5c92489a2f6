"""Nodes, edges and the replay: the numbers behind `dependency_graph`, which says what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from perfkit.model.events import Ints


class NodeKind(IntEnum):
    """What a node is."""

    HOST = 0
    LAUNCH = 1
    WAIT = 2
    KERNEL = 3
    COPY = 4
    COMMUNICATION = 5


class EdgeKind(IntEnum):
    """Why one node waits for another."""

    HOST_ORDER = 0
    LAUNCH = 1
    STREAM_ORDER = 2
    WAIT = 3
    EVENT = 4
    QUEUE = 5


@dataclass(frozen=True)
class Nodes:
    """Columns of the nodes, in an order in which every edge points forward.

    Attributes:
        kind: `NodeKind`; row: the event, UNKNOWN for host time between calls.
        start, dur: as observed, ns; of a call that waited, `dur` is the call without the wait.
        resource: index into `DependencyGraph.resources`; place: position among those of its lane.
    """

    kind: Ints
    row: Ints
    start: Ints
    dur: Ints
    resource: Ints
    place: Ints

    def __len__(self) -> int:
        return len(self.start)

    @property
    def end(self) -> Ints:
        return self.start + self.dur


@dataclass(frozen=True)
class Edges:
    """Columns of the edges: from the end of node `src` to the start of node `dst`.

    `delay` reproduces the trace, `typical` is the same edge's usual delay in this trace; ns.
    """

    src: Ints
    dst: Ints
    kind: Ints
    delay: Ints
    typical: Ints


def replay(dur: Ints, edges: Edges, delay: Ints, entries: Ints) -> Ints:
    """End of every node in ns, in node order. Edges must be sorted by `dst`.

    A node with a single predecessor ends a fixed time after it, and so does a whole chain of them
    after its head: chains are added up at once, and only heads are visited one by one.

    Args:
        entries: earliest start of nodes without predecessors; no node starts before the least.
    """
    into = np.bincount(edges.dst, minlength=len(dur))
    head, offset = _chains(dur, edges, delay, into)
    heads = np.flatnonzero(into != 1)
    place = np.cumsum(into != 1) - 1
    kept = into[edges.dst] != 1
    ends = _visited(
        into[heads].tolist(),
        place[head[edges.src[kept]]].tolist(),
        (offset[edges.src[kept]] + delay[kept]).tolist(),
        dur[heads].tolist(),
        entries[heads].tolist(),
    )
    result: Ints = np.array(ends, np.int64)[place[head]] + offset if len(dur) else dur
    return result


def _visited(
    counts: list[int], sources: list[int], delays: list[int], durations: list[int], ends: list[int]
) -> list[int]:
    """Ends of the heads, in place of their earliest starts; `counts` says how many edges each has."""
    edge = 0
    for node, count in enumerate(counts):
        at = ends[node]
        if count == 2:  # nearly all of them: a launch, and the work before it on the stream
            one = ends[sources[edge]] + delays[edge]
            other = ends[sources[edge + 1]] + delays[edge + 1]
            if other > one:
                one = other
            if one > at:
                at = one
        else:
            for each in range(edge, edge + count):
                reached = ends[sources[each]] + delays[each]
                if reached > at:
                    at = reached
        ends[node] = at + durations[node]
        edge += count
    return ends


def _chains(dur: Ints, edges: Edges, delay: Ints, into: Ints) -> tuple[Ints, Ints]:
    """For each node the head of its chain, and how long after the head's end it ends."""
    head, offset = np.arange(len(dur)), np.zeros(len(dur), np.int64)
    only = np.flatnonzero(into == 1)
    edge = (np.cumsum(into) - into)[only]
    head[only] = edges.src[edge]
    offset[only] = delay[edge] + dur[only]
    while True:  # each round doubles how far every node looks back
        further = head[head]
        if np.array_equal(further, head):
            return head, offset
        offset += offset[head]
        head = further


def tighten(nodes: Nodes, src: Ints, dst: Ints, kind: Ints, typical: Ints) -> Edges:
    """Edges with delays that reproduce the observed starts.

    An edge that points backwards in time is dropped. Of the edges into a node, the one that
    arrives last under its typical delay binds and takes the observed delay; the others keep at
    most their typical one.
    """
    slack = nodes.start[dst] - nodes.end[src]
    kept = (src < dst) & (slack >= 0)
    src, dst, kind, typical, slack = (a[kept] for a in (src, dst, kind, typical, slack))
    delay = np.minimum(typical, slack)
    order = np.lexsort((nodes.end[src] + delay, dst))
    src, dst, kind, typical, slack, delay = (
        a[order] for a in (src, dst, kind, typical, slack, delay)
    )
    binds = np.append(dst[1:] != dst[:-1], True)[: len(dst)]
    return Edges(src, dst, kind, np.where(binds, slack, delay), typical)
