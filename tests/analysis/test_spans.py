"""Sets of time against sets of whole numbers, which cannot be wrong."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perfkit.analysis.spans import EMPTY, Spans, span, union

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(-3, 20)), max_size=12)


def _spans(pairs: list[tuple[int, int]]) -> Spans:
    start = np.array([s for s, _ in pairs], np.int64)
    return union(start, start + np.array([n for _, n in pairs], np.int64))


def _moments(pairs: list[tuple[int, int]]) -> set[int]:
    return {moment for start, length in pairs for moment in range(start, start + length)}


def _in(spans: Spans) -> set[int]:
    return {m for s, e in zip(spans.start, spans.end, strict=True) for m in range(s, e)}


@given(PAIRS, PAIRS)
def test_the_algebra_is_that_of_sets(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    a, b = _spans(one), _spans(other)
    for spans, moments in (
        (a, _moments(one)),
        (a & b, _moments(one) & _moments(other)),
        (a | b, _moments(one) | _moments(other)),
        (a - b, _moments(one) - _moments(other)),
    ):
        spans.self_check()
        assert _in(spans) == moments
        assert spans.total == len(moments)


@given(PAIRS, st.integers(-5, 90), st.integers(0, 40))
def test_what_a_window_covers(pairs: list[tuple[int, int]], low: int, length: int) -> None:
    spans, inside = _spans(pairs), set(range(low, low + length))
    assert spans.covered_in(low, low + length) == len(_moments(pairs) & inside)
    assert _in(spans.gaps(low, low + length)) == inside - _moments(pairs)


@given(PAIRS)
def test_which_moments_lie_inside(pairs: list[tuple[int, int]]) -> None:
    at = np.arange(-2, 90)
    assert set(at[_spans(pairs).contains(at)].tolist()) == _moments(pairs)


def test_nothing_covers_nothing() -> None:
    EMPTY.self_check()
    assert EMPTY.total == (EMPTY - span(0, 5)).total == 0
    assert (span(0, 5) - EMPTY).total == 5
    assert not EMPTY.contains(np.array([0])).any()
