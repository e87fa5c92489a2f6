"""The innermost interval around moments of host threads."""

from __future__ import annotations

import numpy as np

from perfkit.io._nesting import parents_among
from perfkit.model.events import UNKNOWN, Events, Ints, Mask


def innermost(events: Events, among: Mask, time: Ints, thread: Ints) -> Ints:
    """For each moment the row of the innermost interval of `among` on its thread, else UNKNOWN.

    Threads are told apart by their number alone: instants of the allocator name no process.
    """
    rows = np.flatnonzero(among)
    if not len(rows):
        return np.full(len(time), UNKNOWN, np.int64)
    outer = np.r_[parents_among(events, among), UNKNOWN]
    order = np.lexsort((events.start[rows], events.tid[rows]))
    rows = rows[order]
    tids, starts, ends = events.tid[rows], events.start[rows], np.r_[events.end, 0]
    found = np.full(len(time), UNKNOWN, np.int64)
    for number in np.unique(thread).tolist():
        first, last = np.searchsorted(tids, [number, number + 1]).tolist()
        mine = thread == number
        before = np.searchsorted(starts[first:last], time[mine], side="right")
        found[mine] = (
            np.where(before > 0, rows[first + np.maximum(before, 1) - 1], UNKNOWN)
            if (last > first)
            else UNKNOWN
        )
    while (over := (found != UNKNOWN) & (ends[found] <= time)).any():
        found = np.where(over, outer[found], found)
    return found
