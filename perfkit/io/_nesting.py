"""Which interval lies in which: one sweep with a stack, per group."""

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
    found = np.full(len(start), UNKNOWN, np.int64)
    order = np.lexsort((np.arange(len(start)), -end, start, group)).tolist()
    starts, ends, groups = start.tolist(), end.tolist(), group.tolist()
    stack: list[int] = []
    current: int | None = None
    for row in order:
        if groups[row] != current:
            current = groups[row]
            stack.clear()
        while stack and ends[stack[-1]] <= starts[row]:
            stack.pop()
        for outer in islice(reversed(stack), _REACH):
            if ends[outer] >= ends[row]:
                found[row] = outer
                break
        stack.append(row)
    return found


def threads(events: Events) -> Ints:
    """One code per (pid, tid) of each row."""
    _, codes = np.unique(np.stack((events.pid, events.tid)), axis=1, return_inverse=True)
    result: Ints = codes.reshape(-1).astype(np.int64)
    return result


def parents_among(events: Events, mask: Mask) -> Ints:
    """For each row of `mask` its innermost containing row of `mask` on the same thread, else UNKNOWN.

    The result has one entry per event; rows outside `mask` are UNKNOWN.
    """
    rows = np.flatnonzero(mask)
    inner = parents(events.start[rows], events.end[rows], threads(events)[rows])
    found = np.full(len(events), UNKNOWN, np.int64)
    found[rows] = np.where(inner >= 0, rows[inner], UNKNOWN) if len(rows) else inner
    return found
