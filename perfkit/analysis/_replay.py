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
    """End of every node in ns: one pass in node order. Edges must be sorted by `dst`."""
    first = np.searchsorted(edges.dst, np.arange(len(dur) + 1)).tolist()
    sources, delays = edges.src.tolist(), delay.tolist()
    durations, ends = dur.tolist(), entries.tolist()
    low = 0
    for node, high in enumerate(first[1:]):
        at = ends[node]
        for edge in range(low, high):
            reached = ends[sources[edge]] + delays[edge]
            if reached > at:
                at = reached
        ends[node] = at + durations[node]
        low = high
    return np.array(ends, np.int64)


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
