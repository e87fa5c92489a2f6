"""Builds the nodes and edges of `dependency_graph` from the events of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfkit.analysis._device_waits import (
    Works,
    device_works,
    full_queues,
    host_waits,
    stream_waits,
    waiting_calls,
)
from perfkit.analysis._host_lanes import Lane, host_lanes, outermost
from perfkit.analysis._replay import EdgeKind, Edges, NodeKind, Nodes, tighten
from perfkit.base.errors import NotObservable
from perfkit.io._nesting import threads as thread_codes
from perfkit.model.events import RUNTIME, UNKNOWN, Events, Ints, Mask

LAUNCH_LATENCY_NS = 5_000
STREAM_GAP_NS = 1_000
WAKE_NS = 5_000
"""Stand-ins where a trace has no example: from a launch call to its kernel on an idle stream, between
two kernels of a busy stream, from the end of awaited work to the host's return."""

WAIT_CALL_NS = 2_000
"""What a waiting call costs at most beside its wait."""

EXPLAINED_NS = 100_000
"""A wait that lasted longer than this beyond its awaited work waited for something unrecorded."""

_COLLECTIVE = ("nccl", "rccl", "cross_device_reduce", "nvshmem")


@dataclass(frozen=True)
class Parts:
    """What a window holds.

    Attributes:
        lanes: the host's calls in order; the first one spans the window.
        works: all device work of the trace; inside: which of it belongs to the window.
        waits: pairs (call row, work index); queue: the same for full queues; crossing: pairs
            (work awaited, work that waited).
        may_wait: which event rows are calls that wait, or copied something and waited for it.
    """

    events: Events
    begin: int
    end: int
    lanes: tuple[Lane, ...]
    works: Works
    inside: Ints
    waits: tuple[Ints, Ints]
    queue: tuple[Ints, Ints]
    crossing: tuple[Ints, Ints]
    may_wait: Mask


def parts_of(events: Events, begin: int, end: int) -> Parts:
    """Everything in [begin, end), and the device work launched there or still running.

    Raises:
        NotObservable: no call launched anything or waited there.
    """
    threads = thread_codes(events)
    works = device_works(events, _outer_calls(events, threads))
    waits = host_waits(events, works)
    may_wait = np.zeros(len(events), np.bool_)
    may_wait[waits[0]] = True
    for mask in waiting_calls(events).values():
        may_wait |= mask
    anchors = may_wait.copy()
    anchors[works.call[works.call >= 0]] = True
    anchors &= (events.start >= begin) & (events.start < end)
    calls = np.flatnonzero(anchors)
    calls = calls[outermost(events.start[calls], events.end[calls], threads[calls])]
    if not len(calls):
        raise NotObservable("no call launched device work or waited for it in this window")
    launched = np.isin(works.call, calls)
    carried = (works.asked < begin) & (works.end > begin)
    unknown = (works.call < 0) & (works.start >= begin) & (works.start < end)
    return Parts(
        events=events,
        begin=begin,
        end=max(end, int(events.end[calls].max())),
        lanes=host_lanes(events, threads, calls),
        works=works,
        inside=np.flatnonzero(launched | carried | unknown),
        waits=waits,
        queue=full_queues(works),
        crossing=stream_waits(events, works, threads, (begin, end)),
        may_wait=may_wait,
    )


def _outer_calls(events: Events, threads: Ints) -> Ints:
    """For each runtime call the row of the outermost runtime call around it; itself elsewhere."""
    found = np.arange(len(events))
    calls = np.flatnonzero(events.of(RUNTIME))
    for code in np.unique(threads[calls]):
        mine = calls[threads[calls] == code]
        top = outermost(events.start[mine], events.end[mine], threads[mine])
        found[mine] = mine[top][np.cumsum(top) - 1] if len(mine) else mine
    return found


def nodes_of(parts: Parts) -> tuple[Nodes, tuple[str, ...]]:
    """All nodes in replay order, and the names of their resources."""
    columns = [_lane_nodes(parts, number, lane) for number, lane in enumerate(parts.lanes)]
    columns.append(_work_nodes(parts))
    kind, row, start, dur, resource, place = (np.concatenate(c) for c in zip(*columns, strict=True))
    order = np.lexsort((np.arange(len(start)), start + dur, start))
    nodes = Nodes(kind[order], row[order], start[order], dur[order], resource[order], place[order])
    streams = [f"stream {stream} of device {device}" for device, stream in parts.works.labels]
    hosts = [f"host thread {_threads_of(parts.events, lane)}" for lane in parts.lanes]
    return nodes, (*hosts, *streams)


def _threads_of(events: Events, lane: Lane) -> str:
    tids = dict.fromkeys(events.tid[lane.rows].tolist())
    return " and ".join(events.labels.get(tid, str(tid)) for tid in tids)


_Columns = tuple[Ints, Ints, Ints, Ints, Ints, Ints]


def _lane_nodes(parts: Parts, number: int, lane: Lane) -> _Columns:
    """Host time, call, host time, call, ..., host time; even places are host time."""
    count = len(lane.rows)
    size = 2 * count + 1
    begin, end = int(lane.start[0]), int(lane.end[-1])
    if number == 0:
        begin, end = parts.begin, parts.end
    start, stop = np.empty(size, np.int64), np.empty(size, np.int64)
    start[0], start[2::2] = begin, lane.end
    stop[0:-1:2], stop[-1] = lane.start, max(end, int(lane.end[-1]))
    start[1::2], stop[1::2] = lane.start, lane.start + _own_cost(parts, lane)
    row = np.full(size, UNKNOWN, np.int64)
    row[1::2] = lane.rows
    kind = np.full(size, int(NodeKind.HOST), np.int64)
    kind[1::2] = np.where(parts.may_wait[lane.rows], int(NodeKind.WAIT), int(NodeKind.LAUNCH))
    return kind, row, start, stop - start, np.full(size, number, np.int64), np.arange(size)


def _own_cost(parts: Parts, lane: Lane) -> Ints:
    """What each call costs by itself: all of it, unless it ended because awaited work ended."""
    events, works = parts.events, parts.works
    whole = lane.end - lane.start
    waits = parts.may_wait[lane.rows]
    usual = int(np.median(whole[~waits])) if (~waits).any() else WAIT_CALL_NS
    awaited = np.full(len(events), np.iinfo(np.int64).min, np.int64)
    for calls, work in (parts.waits, parts.queue):
        ended = works.end[work]
        late = events.end[calls] - ended
        agrees = (late >= 0) & (late <= EXPLAINED_NS)
        np.maximum.at(awaited, calls[agrees], ended[agrees])
    until = awaited[lane.rows]
    free = np.where(waits, WAIT_CALL_NS, usual)
    blocked = (until > lane.start + np.where(waits, 0, usual)) & (until <= lane.end)
    return np.where(blocked, np.minimum(free, whole), whole)


def _work_nodes(parts: Parts) -> _Columns:
    works, inside = parts.works, parts.inside
    rows = works.rows[inside]
    start = np.maximum(works.start[inside], parts.begin)
    kind = np.full(len(rows), int(NodeKind.KERNEL), np.int64)
    events = parts.events
    kind[events.of(("gpu_memcpy", "gpu_memset"))[rows]] = int(NodeKind.COPY)
    collective = [name for name in events.names if any(c in name.lower() for c in _COLLECTIVE)]
    talks = events.named(collective)[rows] & (kind == int(NodeKind.KERNEL))
    kind[talks] = int(NodeKind.COMMUNICATION)
    resource = works.stream[inside] + len(parts.lanes)
    dur = np.maximum(works.end[inside] - start, 0)
    return kind, rows, start, dur, resource, np.arange(len(rows))


def edges_of(parts: Parts, nodes: Nodes) -> Edges:
    """All edges, with delays that give the trace back."""
    at = np.full(len(parts.events), UNKNOWN, np.int64)
    named = np.flatnonzero(nodes.row >= 0)
    at[nodes.row[named]] = named
    before, after = _neighbours(nodes)
    groups = [
        _host_order(nodes),
        _launches(parts, nodes, at, before),
        _stream_order(nodes, len(parts.lanes)),
        _returns(parts, at, after, parts.waits, EdgeKind.WAIT),
        _returns(parts, at, after, parts.queue, EdgeKind.QUEUE),
        _crossings(parts, at),
    ]
    src = np.concatenate([group.src for group in groups])
    dst = np.concatenate([group.dst for group in groups])
    kind = np.concatenate([np.full(len(group.src), int(group.kind), np.int64) for group in groups])
    known = (src >= 0) & (dst >= 0)
    src, dst, kind = src[known], dst[known], kind[known]
    typical = _typical(nodes, src, dst, kind)
    return tighten(nodes, src, dst, kind, typical)


@dataclass(frozen=True)
class _Group:
    src: Ints
    dst: Ints
    kind: EdgeKind


def _in_lane_order(nodes: Nodes) -> Ints:
    host = np.flatnonzero(nodes.kind <= int(NodeKind.WAIT))
    return host[np.lexsort((nodes.place[host], nodes.resource[host]))]


def _neighbours(nodes: Nodes) -> tuple[Ints, Ints]:
    """For each host node the one before and the one after it in its lane, else UNKNOWN."""
    order = _in_lane_order(nodes)
    before, after = np.full((2, len(nodes)), UNKNOWN, np.int64)
    same = nodes.resource[order][1:] == nodes.resource[order][:-1]
    before[order[1:][same]] = order[:-1][same]
    after[order[:-1][same]] = order[1:][same]
    return before, after


def _host_order(nodes: Nodes) -> _Group:
    _, after = _neighbours(nodes)
    src = np.flatnonzero(after >= 0)
    return _Group(src, after[src], EdgeKind.HOST_ORDER)


def _launches(parts: Parts, nodes: Nodes, at: Ints, before: Ints) -> _Group:
    """From the beginning of the call, that is the end of the host time before it."""
    works, inside = parts.works, parts.inside
    linked = inside[works.call[inside] >= 0]
    call = at[works.call[linked]]
    src = np.where(call >= 0, before[call], UNKNOWN)
    return _Group(src, at[works.rows[linked]], EdgeKind.LAUNCH)


def _stream_order(nodes: Nodes, lanes: int) -> _Group:
    """From the work that ended last before each work of the same stream began."""
    src, dst = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    device = np.flatnonzero(nodes.resource >= lanes)
    for code in np.unique(nodes.resource[device]):
        mine = device[nodes.resource[device] == code]
        by_end = mine[np.argsort(nodes.end[mine], kind="stable")]
        place = np.searchsorted(nodes.end[by_end], nodes.start[mine], side="right") - 1
        follows = place >= 0
        src.append(by_end[place[follows]])
        dst.append(mine[follows])
    return _Group(np.concatenate(src), np.concatenate(dst), EdgeKind.STREAM_ORDER)


def _returns(
    parts: Parts, at: Ints, after: Ints, pairs: tuple[Ints, Ints], kind: EdgeKind
) -> _Group:
    """From the awaited work to the host time that follows the call."""
    calls, work = pairs
    call = at[calls]
    return _Group(at[parts.works.rows[work]], np.where(call >= 0, after[call], UNKNOWN), kind)


def _crossings(parts: Parts, at: Ints) -> _Group:
    awaited, waiter = parts.crossing
    rows = parts.works.rows
    return _Group(at[rows[awaited]], at[rows[waiter]], EdgeKind.EVENT)


def _typical(nodes: Nodes, src: Ints, dst: Ints, kind: Ints) -> Ints:
    """The usual delay of each kind of edge, from edges whose cause is not in doubt."""
    slack = nodes.start[dst] - nodes.end[src]
    latest = np.full((len(EdgeKind), len(nodes)), np.iinfo(np.int64).min // 2, np.int64)
    valid = slack >= 0
    np.maximum.at(latest, (kind[valid], dst[valid]), nodes.end[src][valid])
    asked, freed = latest[EdgeKind.LAUNCH][dst], latest[EdgeKind.STREAM_ORDER][dst]
    launch = _median(slack[(kind == EdgeKind.LAUNCH) & (slack >= 0) & (freed <= asked)])
    launch_ns = LAUNCH_LATENCY_NS if launch is None else launch
    queued = (kind == EdgeKind.STREAM_ORDER) & (slack >= 0) & (asked + launch_ns <= freed)
    entered = latest[EdgeKind.HOST_ORDER][dst]
    waited = (kind == EdgeKind.WAIT) & (nodes.end[src] > entered)
    waited &= (slack >= 0) & (slack <= EXPLAINED_NS)
    gap, wake = _median(slack[queued]), _median(slack[waited])
    usual = np.zeros(len(EdgeKind), np.int64)
    usual[EdgeKind.LAUNCH] = launch_ns
    usual[EdgeKind.STREAM_ORDER] = STREAM_GAP_NS if gap is None else gap
    usual[EdgeKind.WAIT] = WAKE_NS if wake is None else wake
    usual[EdgeKind.EVENT] = usual[EdgeKind.STREAM_ORDER]
    result: Ints = usual[kind]
    return result


def _median(values: Sequence[int] | Ints) -> int | None:
    return int(np.median(values)) if len(values) else None
