"""What the critical path spends most on: by class, name, operator and line.

Host time between two calls counts for the operator around the call it led to. Knows the outermost
operator and the innermost line of user code; a `python_function` frame bears the line of its `def`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfkit.analysis._replay import EdgeKind, NodeKind
from perfkit.analysis.critical_path import (
    CLASSES,
    OF_EDGE,
    OF_NODE,
    CriticalPath,
    host_parts,
)
from perfkit.analysis.dependency_graph import DependencyGraph
from perfkit.io._nesting import parents_among
from perfkit.io.trace_frames import PYTHON, user_frames
from perfkit.io.trace_ops import device_owners
from perfkit.model.events import HOST_OPS, UNKNOWN, Events, Ints, Mask
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table

_OF_HOST = {"loading": "DataLoader"}
_DEEPEST = 200  # how far up operators are followed: hostile traces nest without end


@dataclass(frozen=True)
class Segment:
    """Path time of one class under one operator.

    Attributes:
        category: one of CLASSES.
        name: the kernel, copy or call; "host" or "DataLoader" for time between calls.
        op: the operator that launched it, or around the call that the host time led to; None unknown.
        place: innermost user frame there; None where the trace has no stacks.
        count, total_ns: pieces of the path, and their time together.
    """

    category: str
    name: str
    op: str | None
    place: Frame | None
    count: int
    total_ns: int


def segments(path: CriticalPath, top: int = 20) -> tuple[Segment, ...]:
    """The longest segments, the most time first; all together they are the whole path."""
    graph = path.graph
    node, category, ns = _pieces(path)
    row = graph.nodes.row[node]
    name = np.where(row >= 0, graph.events.name[row], UNKNOWN)
    op, place = _around(graph, _owners(graph)[node])
    loads = category == CLASSES.index("loading")  # it leads to the next call, but is not its work
    op, place = np.where(loads, UNKNOWN, op), np.where(loads, UNKNOWN, place)
    keys, group = np.unique(np.stack((category, name, op, place)), axis=1, return_inverse=True)
    total, count = np.zeros((2, keys.shape[1]), np.int64)
    np.add.at(total, group.reshape(-1), ns)
    np.add.at(count, group.reshape(-1), 1)
    longest = np.argsort(-total, kind="stable")[:top]
    return tuple(
        _segment(graph.events, keys[:, at].tolist(), int(count[at]), int(total[at]))
        for at in longest
    )


def _segment(events: Events, key: list[int], count: int, total: int) -> Segment:
    category, name, op, place = key
    return Segment(
        category=CLASSES[category],
        name=_OF_HOST.get(CLASSES[category], "host") if name < 0 else events.names[name],
        op=None if op < 0 else events.names[op],
        place=_frame(events, place),
        count=count,
        total_ns=total,
    )


def _frame(events: Events, place: int) -> Frame | None:
    if place < 0:
        return None
    known = len(events.names)
    texts = [events.names[place]] if place < known else events.stacks[place - known].split(";")
    return next(user_frames(texts), None)


def _pieces(path: CriticalPath) -> tuple[Ints, Ints, Ints]:
    """Columns of all that lies on the path: node, index of its class, ns; host time in its parts."""
    graph, on = path.graph, path.nodes
    kind = graph.nodes.kind[on]
    of_node = np.array([CLASSES.index(OF_NODE.get(k, "python")) for k in NodeKind], np.int64)
    of_edge = np.array([CLASSES.index(OF_EDGE[k]) for k in EdgeKind], np.int64)
    between = on[kind == int(NodeKind.HOST)]
    work = kind != int(NodeKind.HOST)
    entered = np.where(path.via >= 0, of_edge[path.via], CLASSES.index("idle"))
    columns = [(on[work], of_node[kind[work]], graph.nodes.dur[on[work]])]
    columns.append((on, entered, path.delays - path.unrecorded))
    columns.append((on, np.full(len(on), CLASSES.index("unrecorded")), path.unrecorded))
    for name, ns in host_parts(graph, between).items():
        columns.append((between, np.full(len(between), CLASSES.index(name)), ns))
    node, category, spent = (np.concatenate(column) for column in zip(*columns, strict=True))
    return node[spent > 0], category[spent > 0], spent[spent > 0]


def _owners(graph: DependencyGraph) -> Ints:
    """For each node the host row that explains it: its operator, its call, or the call it leads to."""
    nodes, edges = graph.nodes, graph.edges
    owner: Ints = nodes.row.copy()
    order = (edges.kind == int(EdgeKind.HOST_ORDER)) & (nodes.row[edges.src] < 0)
    owner[edges.src[order]] = nodes.row[edges.dst[order]]
    work, op = device_owners(graph.events)
    by_row = np.full(len(graph.events), UNKNOWN, np.int64)
    by_row[work] = op
    device = nodes.kind > int(NodeKind.WAIT)
    owner[device] = by_row[nodes.row[device]]
    launched = (edges.kind == int(EdgeKind.LAUNCH)) & (owner[edges.dst] < 0)
    owner[edges.dst[launched]] = owner[edges.src[launched]]  # by no operator: by its call
    return owner


def _around(graph: DependencyGraph, rows: Ints) -> tuple[Ints, Ints]:
    """For each host row the name of its outermost operator, and the code of its place.

    A place is the code of a frame's name, or of a stack's text plus the number of names.
    """
    events = graph.events
    asked = np.zeros(len(events), np.bool_)
    asked[rows[rows >= 0]] = True
    near = (events.start < graph.begin_ns + graph.span_ns) & (events.end > graph.begin_ns)
    parent = parents_among(events, (near & events.of(HOST_OPS)) | asked)
    frames = parents_among(events, (near & _user_code(events)) | asked)
    at, op = rows, np.full(len(rows), UNKNOWN, np.int64)
    stack = np.full(len(rows), UNKNOWN, np.int64)
    is_op = events.of(HOST_OPS)
    for _ in range(_DEEPEST):
        if not (at >= 0).any():
            break
        op = np.where((at >= 0) & is_op[at], events.name[at], op)
        stack = np.where((stack < 0) & (at >= 0), events.stack[at], stack)
        at = np.where(at >= 0, parent[at], UNKNOWN)
    frame = _first_frame(frames, rows, asked & ~_user_code(events))
    place = np.where(frame >= 0, events.name[frame], UNKNOWN)
    return op, np.where(stack >= 0, stack + len(events.names), place)


def _first_frame(parent: Ints, rows: Ints, no_frame: Mask) -> Ints:
    """The innermost frame around each row, past other rows that were asked about."""
    at = np.where(rows >= 0, parent[rows], UNKNOWN)
    for _ in range(_DEEPEST):
        between = (at >= 0) & no_frame[at]
        if not between.any():
            break
        at = np.where(between, parent[at], at)
    return np.where((at >= 0) & ~no_frame[at], at, UNKNOWN)


def _user_code(events: Events) -> Mask:
    python = events.of(PYTHON)
    codes = np.unique(events.name[python]).tolist()
    ours = [events.names[code] for code in codes if any(user_frames([events.names[code]]))]
    return python & events.named(ours)


def segments_table(found: tuple[Segment, ...], steps: int, length_ns: int) -> Table:
    """The longest segments per step, with operator and line; shares are of the whole path."""
    texts = ("class", "name", "op", "file", "line", "function")
    rows = tuple(
        (
            s.category,
            s.name,
            s.op,
            s.place.file if s.place else None,
            s.place.line if s.place else None,
            s.place.function if s.place else None,
            s.count / steps,
            round(s.total_ns / steps),
            s.total_ns / length_ns,
        )
        for s in found
    )
    columns = (
        *(Column(name) for name in texts),
        Column("count", "per step"),
        Column("path_ns", "ns"),
        Column("share", "ratio"),
    )
    return Table(columns, rows)
