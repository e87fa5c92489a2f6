"""What an edit does to a dependency graph: shorter nodes, shorter delays, fewer edges; never more.

Every change lowers a number, drops an edge, or adds an edge that a longer path implied already, so
that no replay after an edit can be slower than before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from perfkit.analysis._replay import EdgeKind, Edges, NodeKind
from perfkit.analysis.dependency_graph import DependencyGraph, loader_rows
from perfkit.analysis.spans import union
from perfkit.model.events import HOST_OPS, UNKNOWN, Ints, Mask


@dataclass(frozen=True)
class WithoutWaits:
    """These calls no longer wait. Rows of waiting calls, or of operators: all waits inside."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class Faster:
    """These rows take 1 / `times` of their time: device work, calls; operators with all inside."""

    rows: tuple[int, ...]
    times: float


@dataclass(frozen=True)
class Fused:
    """These launches become one. Rows of launching calls, or of operators: all launches inside."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class Overlapped:
    """These copies no longer block the host and run beside their stream. Rows of calls or copies."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class Captured:
    """These launches are captured in one CUDA graph, and waits among them go. Rows as for `Fused`."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class HostFaster:
    """The host takes 1 / `times` of its time: Python, operators and launching calls, never waits.

    With `rows`, intervals of the host such as annotations, only what it does within them.
    """

    times: float
    rows: tuple[int, ...] | None = None


Edit = WithoutWaits | Faster | Fused | Overlapped | Captured | HostFaster


class View(Enum):
    """How much of what is not known about an edited program is assumed in its favour."""

    CAUTIOUS = "cautious"
    LIKELY = "likely"
    BOLD = "bold"


LEFT_OF_A_WAIT_NS = {View.LIKELY: 5_000, View.BOLD: 0}
"""What remains of a call that no longer waits: a launch's cost, or nothing; at worst all it cost."""

SCALAR_READS = ("aten::item", "aten::_local_scalar_dense", "aten::is_nonzero")
"""They return a Python number, which cannot exist before the wait is over: without the wait there is
no such call, nor its copy."""

GRAPH_LAUNCH_NS = {View.CAUTIOUS: 20_000, View.LIKELY: 10_000, View.BOLD: 5_000}
GRAPH_GAP_NS = {View.LIKELY: 1_000, View.BOLD: 500}


class Draft:
    """A graph's durations and edges while edits are applied to them."""

    def __init__(self, graph: DependencyGraph, view: View, typical: bool) -> None:
        self.graph = graph
        self.view = view
        self.dur = graph.nodes.dur.copy()
        self.edges = graph.edges
        self.delay = (graph.edges.typical if typical else graph.edges.delay).copy()
        self.keep = np.ones(len(self.delay), np.bool_)
        self.extra: list[tuple[int, int, int]] = []
        if view is View.BOLD:
            self.keep &= graph.edges.kind != int(EdgeKind.QUEUE)

    def apply(self, edits: Iterable[Edit]) -> None:
        for edit in edits:
            if isinstance(edit, WithoutWaits):
                waits = self._calls(edit.rows, NodeKind.WAIT)
                self._without_waits(waits)
                self._without_reads(waits)
            elif isinstance(edit, Faster):
                self._faster(edit.rows, edit.times)
            elif isinstance(edit, Fused):
                self._fused(edit.rows)
            elif isinstance(edit, Overlapped):
                self._overlapped(edit.rows)
            elif isinstance(edit, HostFaster):
                self._host_hastened(edit.rows, _at_least_one(edit.times))
            else:
                self._captured(edit.rows)

    def outcome(self) -> tuple[Ints, Edges, Ints]:
        """Durations, edges and delays to replay."""
        old = self.edges
        if not self.extra:  # what is left is in order
            columns = (old.src, old.dst, old.kind, self.delay, self.delay)
            edges = Edges(*(column[self.keep] for column in columns))
            return self.dur, edges, edges.delay
        extra = np.array(self.extra, np.int64).reshape(-1, 3)
        src = np.concatenate((old.src[self.keep], extra[:, 0]))
        dst = np.concatenate((old.dst[self.keep], extra[:, 1]))
        delay = np.concatenate((self.delay[self.keep], extra[:, 2]))
        order = np.argsort(dst, kind="stable")
        kind = np.concatenate((old.kind[self.keep], np.full(len(extra), EdgeKind.STREAM_ORDER)))
        edges = Edges(src[order], dst[order], kind[order], delay[order], delay[order])
        return self.dur, edges, delay[order]

    def _calls(self, rows: Sequence[int], kind: NodeKind) -> Mask:
        nodes = self.graph.nodes
        host = self.graph.with_rows(rows) | self._inside(rows)
        if kind is NodeKind.LAUNCH:  # a copy that waits for itself launches, too
            launches = np.zeros(len(nodes), np.bool_)
            launches[self._launched_by(np.ones(len(nodes), np.bool_))[0]] = True
            host &= launches
        else:
            host &= nodes.kind == int(kind)
        return host

    def _inside(self, rows: Sequence[int]) -> Mask:
        """Calls within the operators among these rows."""
        events, nodes = self.graph.events, self.graph.nodes
        wanted = np.asarray(rows, np.int64)
        ops = wanted[events.of(HOST_OPS)[wanted]]
        found = np.zeros(len(nodes), np.bool_)
        calls = np.flatnonzero((nodes.kind == NodeKind.LAUNCH) | (nodes.kind == NodeKind.WAIT))
        if not len(ops):
            return found
        lane = self.graph.threads
        for code in np.unique(lane[ops]):
            mine = ops[lane[ops] == code]
            theirs = union(events.start[mine], events.end[mine])
            ours = calls[lane[nodes.row[calls]] == code]
            row = nodes.row[ours]
            at = np.searchsorted(theirs.start, events.start[row], side="right") - 1
            within = (at >= 0) & (events.end[row] <= theirs.end[np.maximum(at, 0)])
            found[ours[within]] = True
        return found

    def _around(self, calls: Ints, spans: Mask) -> Ints:
        """Rows of those spans within which one of these calls begins, on the same thread."""
        events, lane = self.graph.events, self.graph.threads
        found = [calls[:0]]
        for code in np.unique(lane[calls]):
            mine = np.flatnonzero(spans & (lane == code))
            begun = np.sort(events.start[calls[lane[calls] == code]])
            first, last = (np.searchsorted(begun, at[mine]) for at in (events.start, events.end))
            found.append(mine[last > first])
        return np.concatenate(found)

    def _launched_by(self, calls: Mask) -> tuple[Ints, Ints]:
        """Pairs (call node, device node), in the order of the calls."""
        nodes = self.graph.nodes
        edges = np.flatnonzero(self.edges.kind == int(EdgeKind.LAUNCH))
        call = self._after()[self.edges.src[edges]]
        wanted = (call >= 0) & calls[np.maximum(call, 0)]
        call, work = call[wanted], self.edges.dst[edges][wanted]
        order = np.lexsort((nodes.start[work], nodes.start[call]))
        return call[order], work[order]

    def _after(self) -> Ints:
        """For each host node the one that follows it in its lane, else UNKNOWN."""
        after = np.full(len(self.graph.nodes), UNKNOWN, np.int64)
        order = self.edges.kind == int(EdgeKind.HOST_ORDER)
        after[self.edges.src[order]] = self.edges.dst[order]
        return after

    def _into(self, nodes: Mask, kind: EdgeKind) -> Mask:
        found: Mask = (self.edges.kind == int(kind)) & nodes[self.edges.dst]
        return found

    def _returned(self, calls: Mask) -> Mask:
        """Where the host goes on after these calls."""
        after = self._after()[calls]
        found = np.zeros(len(self.dur), np.bool_)
        found[after[after >= 0]] = True
        return found

    def _without_waits(self, calls: Mask) -> None:
        returned = self._returned(calls)
        self.keep &= ~self._into(returned, EdgeKind.WAIT)
        self.delay[self._into(returned, EdgeKind.HOST_ORDER)] = 0
        if self.view in LEFT_OF_A_WAIT_NS:
            self.dur[calls] = np.minimum(self.dur[calls], LEFT_OF_A_WAIT_NS[self.view])

    def _without_reads(self, waits: Mask) -> None:
        """What else goes with waits that bring a value; not in the cautious view."""
        if self.view is View.CAUTIOUS:
            return
        events, nodes = self.graph.events, self.graph.nodes
        reads = self._around(nodes.row[waits], events.of(HOST_OPS) & events.named(SCALAR_READS))
        gone = self._inside(reads.tolist())
        self.dur[gone] = 0
        self._hasten(reads, np.inf)
        brought = np.zeros(len(self.dur), np.bool_)
        brought[self._launched_by(gone)[1]] = True
        if self.view is View.BOLD:
            returns = self._into(self._returned(waits), EdgeKind.WAIT)
            brought[self.edges.src[returns]] = True
        brought &= events.named(n for n in events.names if "dtoh" in n.lower())[nodes.row]
        self.dur[brought] = 0
        self._beside(brought)
        self.keep &= ~brought[self.edges.dst]

    def _faster(self, rows: Sequence[int], times: float) -> None:
        _at_least_one(times)
        inside = self._inside(rows)
        chosen = self.graph.with_rows(rows) | inside
        chosen[self._launched_by(inside)[1]] = True
        self.dur[chosen] = np.ceil(self.dur[chosen] / times).astype(np.int64)
        self._host_faster(rows, times)

    def _host_faster(self, rows: Sequence[int], times: float) -> None:
        """The operators' own host time between calls."""
        self._hasten(self._operators(rows), times)

    def _operators(self, rows: Sequence[int]) -> Ints:
        """The operators among these rows, in the order of their start."""
        wanted = np.sort(np.asarray(rows, np.int64))
        return wanted[self.graph.events.of(HOST_OPS)[wanted]]

    def _host_hastened(self, rows: Sequence[int] | None, times: float) -> None:
        if rows is not None:
            self._hasten(np.asarray(rows, np.int64), times)
            return
        kind = self.graph.nodes.kind
        working = (kind == int(NodeKind.HOST)) | (kind == int(NodeKind.LAUNCH))
        self.dur[working] = np.ceil(self.dur[working] / times).astype(np.int64)

    def _hasten(self, spans: Ints, times: float) -> None:
        """Host time between calls within these intervals."""
        events, nodes = self.graph.events, self.graph.nodes
        between = np.flatnonzero(nodes.kind == int(NodeKind.HOST))
        theirs = union(events.start[spans], events.end[spans])
        within = theirs.covered(nodes.start[between], nodes.end[between])
        saved = (within * (1 - 1 / times)).astype(np.int64)
        self.dur[between] = np.maximum(self.dur[between] - saved, 0)

    def _merge(self, calls: Mask, first_cost: int | None) -> tuple[Ints, Ints]:
        """One call for all; returns the launched work and those that follow another of it."""
        order = np.flatnonzero(calls)
        cost = int(self.dur[order].sum())
        self.dur[order[1:]] = 0
        if first_cost is not None and len(order):
            self.dur[order[0]] = min(cost, int(self.dur[order[0]]), first_cost)
        work = self._launched_by(calls)[1]
        among = np.zeros(len(self.dur), np.bool_)
        among[work] = True
        inner = self._into(among, EdgeKind.STREAM_ORDER) & among[self.edges.src]
        return work, np.flatnonzero(inner)

    def _close_host_gaps(self, calls: Mask) -> None:
        """Host time between two calls of the set that follow each other goes."""
        after = self._after()
        between = np.flatnonzero(self.graph.nodes.kind == int(NodeKind.HOST))
        follows = after[between]
        before = np.full(len(after), UNKNOWN, np.int64)
        before[after[after >= 0]] = np.flatnonzero(after >= 0)
        leads = before[between]
        both = (follows >= 0) & (leads >= 0) & calls[follows] & calls[leads]
        self.dur[between[both]] = self._loading(between[both])

    def _loading(self, between: Ints) -> Ints:
        """How much of some host time is loading data, which no graph and no fusion takes over."""
        events, nodes = self.graph.events, self.graph.nodes
        rows = loader_rows(events)
        if not len(rows):
            return np.zeros(len(between), np.int64)
        spans = union(events.start[rows], events.end[rows])
        inside = spans.covered(nodes.start[between], nodes.end[between])
        result: Ints = np.minimum(self.dur[between], inside)
        return result

    def _fused(self, rows: Sequence[int]) -> None:
        calls, ops = self._calls(rows, NodeKind.LAUNCH), self._operators(rows)
        work, inner = self._merge(calls, None)
        self.delay[inner] = 0
        ends = self.graph.events.end
        self._hasten(ops[self.graph.events.start[ops] >= ends[ops[:1]]], np.inf)
        if self.view is View.CAUTIOUS or not len(work):
            return
        self._close_host_gaps(calls)
        total, longest = int(self.dur[work].sum()), int(self.dur[work].max())
        left = longest if self.view is View.BOLD else (total + longest) // 2
        self.dur[work] = self.dur[work] * left // max(total, 1)

    def _captured(self, rows: Sequence[int]) -> None:
        calls, waits = (self._calls(rows, kind) for kind in (NodeKind.LAUNCH, NodeKind.WAIT))
        self._without_waits(waits)
        self.dur[waits & ~calls] = 0
        _, inner = self._merge(calls, GRAPH_LAUNCH_NS[self.view])
        self._close_host_gaps(calls | waits)
        if self.view in GRAPH_GAP_NS:
            self._hasten(self._operators(rows), np.inf)  # a replay calls none of them
            self.delay[inner] = np.minimum(self.delay[inner], GRAPH_GAP_NS[self.view])

    def _overlapped(self, rows: Sequence[int]) -> None:
        nodes = self.graph.nodes
        chosen = self.graph.with_rows(rows) | self._inside(rows)
        copies = chosen & (nodes.kind == int(NodeKind.COPY))
        work = self._launched_by(chosen)[1]
        copies[work[nodes.kind[work] == int(NodeKind.COPY)]] = True
        launched = self._launched_by(np.ones(len(nodes), np.bool_))
        mine = np.zeros(len(nodes), np.bool_)
        mine[launched[0][copies[launched[1]]]] = True
        self._without_waits((chosen | mine) & (nodes.kind == int(NodeKind.WAIT)))
        if self.view is not View.CAUTIOUS:
            self._beside(copies)

    def _beside(self, copies: Mask) -> None:
        """Off their stream: what comes after follows what came before; bold: and not the copy."""
        edges, dur = self.edges, self.dur
        order = edges.kind == int(EdgeKind.STREAM_ORDER)
        into = {int(edges.dst[e]): int(e) for e in np.flatnonzero(order)}
        for edge in np.flatnonzero(order & copies[edges.src] & ~copies[edges.dst]).tolist():
            node, path = int(edges.src[edge]), int(self.delay[edge])
            while copies[node] and node in into:
                path += int(dur[node]) + int(self.delay[into[node]])
                node = int(edges.src[into[node]])
            if not copies[node]:
                gap = min(path, int(edges.typical[edge]))
                self.extra.append((node, int(edges.dst[edge]), gap))
        launched = np.zeros(len(dur), np.bool_)
        launched[edges.dst[edges.kind == int(EdgeKind.LAUNCH)]] = True
        self.keep &= ~(self._into(copies & launched, EdgeKind.STREAM_ORDER))
        if self.view is View.BOLD:
            self.keep &= ~(order & copies[edges.src])


def _at_least_one(times: float) -> float:
    if not times >= 1:
        raise ValueError(f"an edit cannot make work slower: {times} times faster")
    return times
