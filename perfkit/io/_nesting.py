"""Which interval lies in which, per group: by depth where they nest, by a sweep where some cross."""

from __future__ import annotations

from itertools import islice

import numpy as np

from perfkit.model.events import UNKNOWN, Events, Ints, Mask

_REACH = 200  # how many crossing intervals to look past: bounds the time that hostile traces take


def parents(start: Ints, end: Ints, group: Ints) -> Ints:
    """For each interval the index of the innermost one of its group that contains it, else UNKNOWN.

    Of two equal intervals the earlier index is the outer one. Intervals that merely cross are no
    parents of each other.
    """
    later = start[1:] > start[:-1]
    later |= (start[1:] == start[:-1]) & (end[1:] <= end[:-1])
    order = _grouped(group) if bool(later.all()) else np.lexsort((-end, start, group))
    starts, ends = start[order], end[order]
    bounds = np.flatnonzero(np.diff(group[order])) + 1
    found = np.full(len(start), UNKNOWN, np.int64)
    for first, last in zip((0, *bounds), (*bounds, len(start)), strict=True):
        outer = _parents(starts[first:last], ends[first:last])
        rows = order[first:last]
        found[rows] = np.where(outer >= 0, rows[outer], UNKNOWN)
    return found


def _parents(start: Ints, end: Ints) -> Ints:
    """As `parents`, of one group sorted by start, the longer first.

    Where intervals only nest, an interval's depth is the number of those begun before it and not
    ended, and its parent the last one before it that is one less deep. Where some cross, the parent
    found like this ends too early for at least one: then the sweep does it, from the last moment
    before with nothing open to the next one.
    """
    depth = np.arange(len(start)) - _ended(start, end)
    by_depth = _grouped(depth)
    width = len(start) + 1
    key = depth[by_depth] * width + by_depth
    at = np.searchsorted(key, (depth - 1) * width + np.arange(len(start))) - 1
    outer: Ints = np.where(depth > 0, by_depth[at], UNKNOWN)
    crossing = np.flatnonzero((depth > 0) & (end[outer] < end))
    if len(crossing):
        tops = np.append(np.flatnonzero(depth == 0), len(start))
        found = np.unique(np.searchsorted(tops, crossing, side="right"))
        for first, last in zip(tops[found - 1].tolist(), tops[found].tolist(), strict=True):
            inner = _swept(start[first:last], end[first:last])
            outer[first:last] = np.where(inner >= 0, inner + first, UNKNOWN)
    return outer


def _grouped(numbers: Ints) -> Ints:
    """A stable order by small numbers: numpy sorts short integers in linear time."""
    short = len(numbers) > 0 and int(numbers.min()) >= 0 and int(numbers.max()) < 2**15
    return np.argsort(numbers.astype(np.int16) if short else numbers, kind="stable")


def _ended(start: Ints, end: Ints) -> Ints:
    """For each interval how many earlier ones end before it starts or just then."""
    count = np.searchsorted(np.sort(end), start, side="right")
    instant = np.concatenate(([0], np.cumsum(start == end)))
    behind = np.searchsorted(start, start, side="right")  # after the last that starts together
    result: Ints = count - (instant[behind] - instant[:-1])  # without itself and later instants
    return result


def _swept(start: Ints, end: Ints) -> Ints:
    found = np.full(len(start), UNKNOWN, np.int64)
    ends = end.tolist()
    stack: list[int] = []
    for row, begun in enumerate(start.tolist()):
        while stack and ends[stack[-1]] <= begun:
            stack.pop()
        for outer in islice(reversed(stack), _REACH):
            if ends[outer] >= ends[row]:
                found[row] = outer
                break
        stack.append(row)
    return found


def threads(events: Events) -> Ints:
    """One code per (pid, tid) of each row."""
    return _codes(events.pid, events.tid)


def _codes(pid: Ints, tid: Ints) -> Ints:
    """Threads mostly come in runs, and only where one begins there is something to look up."""
    if not len(pid):
        return np.zeros(0, np.int64)
    begins = np.r_[True, (pid[1:] != pid[:-1]) | (tid[1:] != tid[:-1])]
    first = np.flatnonzero(begins)
    _, process = np.unique(pid[first], return_inverse=True)
    ids, thread = np.unique(tid[first], return_inverse=True)
    _, codes = np.unique(process * len(ids) + thread, return_inverse=True)
    return np.repeat(codes.astype(np.int64), np.diff(np.r_[first, len(pid)]))


def parents_among(events: Events, mask: Mask) -> Ints:
    """For each row of `mask` its innermost containing row of `mask` on the same thread, else UNKNOWN.

    The result has one entry per event; rows outside `mask` are UNKNOWN.
    """
    rows = np.flatnonzero(mask)
    thread = _codes(events.pid[rows], events.tid[rows])
    inner = parents(events.start[rows], events.end[rows], thread)
    found = np.full(len(events), UNKNOWN, np.int64)
    found[rows] = np.where(inner >= 0, rows[inner], UNKNOWN) if len(rows) else inner
    return found
