from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perfkit.io._nesting import _parents, _swept, parents


def found(spans: list[tuple[int, int]], groups: list[int] | None = None) -> list[int]:
    start, end = np.array(spans, np.int64).reshape(-1, 2).T
    group = np.array(groups or [0] * len(spans), np.int64)
    return parents(start, end, group).tolist()


def test_nothing_has_no_parents() -> None:
    assert found([]) == []


def test_neighbours_and_crossing_spans_are_no_parents() -> None:
    assert found([(0, 5), (5, 9), (7, 12)]) == [-1, -1, -1]


def test_other_groups_are_no_parents() -> None:
    assert found([(0, 9), (1, 2)], [0, 1]) == [-1, -1]


def test_the_innermost_container_is_the_parent() -> None:
    assert found([(3, 4), (0, 9), (2, 6)]) == [2, -1, 1]


def test_the_first_of_equal_spans_is_the_outer_one() -> None:
    assert found([(0, 9), (0, 9)]) == [-1, 0]


def test_a_crossing_span_does_not_hide_the_container_of_later_ones() -> None:
    assert found([(0, 100), (10, 50), (40, 60), (55, 58)]) == [-1, 0, 0, 2]


_SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 15)), max_size=25)


@given(_SPANS)
def test_every_parent_contains_its_child(pieces: list[tuple[int, int]]) -> None:
    spans = [(start, start + length) for start, length in pieces]
    for child, parent in enumerate(found(spans)):
        if parent >= 0:
            assert spans[parent][0] <= spans[child][0]
            assert spans[child][1] <= spans[parent][1]
            assert parent != child


@given(_SPANS)
def test_a_span_without_parent_is_contained_in_no_other(pieces: list[tuple[int, int]]) -> None:
    spans = [(start, start + length) for start, length in pieces]
    for child, parent in enumerate(found(spans)):
        if parent < 0:
            start, end = spans[child]
            assert not any(s <= start and end <= e and (s, e) != (start, end) for s, e in spans)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=25))
def test_depth_and_sweep_find_the_same(pieces: list[tuple[int, int]]) -> None:
    spans = sorted(((s, s + length) for s, length in pieces), key=lambda span: (span[0], -span[1]))
    start, end = np.array(spans, np.int64).reshape(-1, 2).T
    assert _parents(start, end).tolist() == _swept(start, end).tolist()
