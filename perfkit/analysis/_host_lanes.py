"""Host work as lanes: the calls that launch or wait, in order, and the host time between them.

Threads that take turns (a program's thread and the autograd engine's) are one lane, because what
one does next depends on what the other did last. Threads that run at the same time (a loader that
pins memory) keep lanes of their own. A trace does not say which: threads whose innermost work
overlaps by no more than a twentieth of the lesser one's are taken to take turns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfkit.analysis.spans import Spans, union
from perfkit.model.events import HOST_OPS, RUNTIME, Events, Ints, Mask

TURNS = 0.05
"""Share of the lesser thread's busy time up to which two threads still take turns."""


@dataclass(frozen=True)
class Lane:
    """The anchors of one lane in order, not overlapping.

    Attributes:
        threads: codes of its threads, the one with most anchors first.
        rows: runtime calls; start, end: their times in ns, cut where a nested call overlaps.
    """

    threads: tuple[int, ...]
    rows: Ints
    start: Ints
    end: Ints


def host_lanes(events: Events, threads: Ints, calls: Ints) -> tuple[Lane, ...]:
    """The lanes of these calls (rows sorted by start), the one with most calls first."""
    codes, counts = np.unique(threads[calls], return_counts=True)
    busiest = codes[np.argsort(-counts, kind="stable")].tolist()
    work = {code: _innermost(events, np.flatnonzero(threads == code)) for code in busiest}
    groups: list[list[int]] = []
    for code in busiest:
        for group in groups:
            if all(_take_turns(work[code], work[other]) for other in group):
                group.append(code)
                break
        else:
            groups.append([code])
    lanes = [_lane(events, tuple(group), calls[np.isin(threads[calls], group)]) for group in groups]
    return tuple(sorted(lanes, key=lambda lane: -len(lane.rows)))


def outermost(start: Ints, end: Ints, group: Ints) -> Mask:
    """Which intervals (sorted by start) lie in no earlier one of their group."""
    keep = np.ones(len(start), np.bool_)
    for code in np.unique(group):
        rows = np.flatnonzero(group == code)
        reach = np.maximum.accumulate(end[rows])
        keep[rows[1:]] = (end[rows[1:]] > reach[:-1]) | (start[rows[1:]] >= reach[:-1])
    return keep


def _innermost(events: Events, rows: Ints) -> Spans:
    """Union of the operators and runtime calls of one thread that hold no others."""
    rows = rows[events.of((*HOST_OPS, *RUNTIME))[rows]]
    start, end = events.start[rows], events.end[rows]
    leaf = np.append(start[1:] >= end[:-1], True)[: len(rows)]
    return union(start[leaf], end[leaf])


def _take_turns(one: Spans, other: Spans) -> bool:
    return (one & other).total <= TURNS * min(one.total, other.total)


def _lane(events: Events, threads: tuple[int, ...], rows: Ints) -> Lane:
    start, end = events.start[rows], events.end[rows]
    reach = np.maximum.accumulate(end)
    start = np.concatenate((start[:1], np.maximum(start[1:], reach[:-1])))
    return Lane(threads, rows, start, reach)
