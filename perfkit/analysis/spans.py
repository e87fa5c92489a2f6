"""Sets of time: disjoint half-open intervals `[start, end)` in int ns, and their exact algebra.

Everything is vectorised: a set of a million intervals is joined or subtracted in well under a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perfkit.model.events import Ints, Mask


@dataclass(frozen=True)
class Spans:
    """Disjoint intervals in order; none is empty and no two touch. Made by `union`."""

    start: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.start)

    def __and__(self, other: Spans) -> Spans:
        return _combined(self, other, lambda mine, its: mine & its)

    def __or__(self, other: Spans) -> Spans:
        if not len(self) or not len(other):
            return self if len(self) else other
        return union(np.r_[self.start, other.start], np.r_[self.end, other.end])

    def __sub__(self, other: Spans) -> Spans:
        if not len(self) or not len(other):
            return self
        return _combined(self, other, lambda mine, its: mine & ~its)

    @property
    def total(self) -> int:
        """Time covered, ns."""
        return int((self.end - self.start).sum())

    def covered(self, low: Ints, high: Ints) -> Ints:
        """Time covered inside each window `[low, high)`, ns; windows may overlap each other."""
        return self._before(high) - self._before(np.minimum(low, high))

    def covered_in(self, low: int, high: int) -> int:
        """Time covered inside one window, ns."""
        return int(self.covered(np.array([low]), np.array([high]))[0])

    def contains(self, at: Ints) -> Mask:
        """Which moments lie inside."""
        if not len(self):
            return np.zeros(len(at), np.bool_)
        index = np.searchsorted(self.start, at, side="right") - 1
        inside: Mask = (index >= 0) & (at < self.end[np.maximum(index, 0)])
        return inside

    def gaps(self, low: int, high: int) -> Spans:
        """What of `[low, high)` is not covered."""
        return span(low, high) - self

    def self_check(self) -> None:
        """Raise AssertionError unless disjoint, sorted, without empty or touching intervals."""
        assert bool((self.start < self.end).all())
        assert bool((self.start[1:] > self.end[:-1]).all())

    def _before(self, at: Ints) -> Ints:
        """Time covered before each moment."""
        if not len(self):
            return np.zeros(len(at), np.int64)
        lengths = np.r_[0, np.cumsum(self.end - self.start)]
        index = np.searchsorted(self.start, at, side="right")
        last = np.maximum(index - 1, 0)
        over = np.where(index > 0, np.maximum(self.end[last] - at, 0), 0)
        result: Ints = lengths[index] - over
        return result


def union(start: Ints, end: Ints) -> Spans:
    """The set covered by any intervals, in any order; empty and negative ones count nothing."""
    some = end > start
    start, end = start[some], end[some]
    if not len(start):
        return Spans(np.zeros(0, np.int64), np.zeros(0, np.int64))
    order = np.argsort(start, kind="stable")
    start, reach = start[order], np.maximum.accumulate(end[order])
    first = np.r_[True, start[1:] > reach[:-1]]
    last = np.r_[first[1:], True]
    return Spans(start[first], reach[last])


def span(low: int, high: int) -> Spans:
    """One interval as a set."""
    return union(np.array([low], np.int64), np.array([high], np.int64))


EMPTY = union(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _combined(mine: Spans, its: Spans, keep: Callable[[Mask, Mask], Mask]) -> Spans:
    """The stretches between neighbouring edges for which `keep(in mine, in its)` holds."""
    edges = np.concatenate((mine.start, mine.end, its.start, its.end))
    if not len(edges):
        return EMPTY
    change = np.ones(len(edges), np.int64)
    change[len(mine) : 2 * len(mine)] = -1
    change[2 * len(mine) + len(its) :] = -1
    is_mine = np.arange(len(edges)) < 2 * len(mine)
    order = np.argsort(edges, kind="stable")
    edges, change, is_mine = edges[order], change[order], is_mine[order]
    in_mine = np.cumsum(np.where(is_mine, change, 0)) > 0
    in_its = np.cumsum(np.where(is_mine, 0, change)) > 0
    kept = keep(in_mine, in_its)[:-1]
    return union(edges[:-1][kept], edges[1:][kept])
