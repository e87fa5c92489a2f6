"""Lines found again: which must not be joined, which must although they moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfkit.compare.lines import line_changes, lines
from perfkit.model.table import Cell
from tests.compare.pictures import diagnosis, point

Row = dict[str, Cell]


def joined(before: list[Row], after: list[Row]) -> list[tuple[int | None, int | None]]:
    changes = line_changes(diagnosis(*before), diagnosis(*after))
    pairs = [
        (each.before.line if each.before else None, each.after.line if each.after else None)
        for each in changes
    ]
    return sorted(pairs, key=lambda pair: (pair[0] or 0, pair[1] or 0))


def test_another_operator_phase_or_function_is_another_line() -> None:
    for other in ({"op": "aten::nonzero"}, {"phase": "backward"}, {"function": "loss"}):
        pairs = joined([point(10, "x.item()")], [point(10, "x.item()", **other)])
        assert pairs == [(None, 10), (10, None)]


def test_another_text_on_the_same_line_is_another_wait() -> None:
    pairs = joined([point(10, "loss.item()")], [point(10, "print(counts[0])")])
    assert pairs == [(None, 10), (10, None)]


def test_the_same_text_far_away_in_another_function_of_another_file_is_not_joined() -> None:
    moved = point(900, "x.item()", file="/p/other.py", function="log")
    assert joined([point(10, "x.item()")], [moved]) == [(None, 900), (10, None)]


def test_unknown_texts_far_apart_are_not_joined() -> None:
    assert joined([point(10, None)], [point(200, None)]) == [(None, 200), (10, None)]


def test_lines_that_shifted_are_the_same() -> None:
    before = [point(10, "a.item()"), point(11, "b.item()")]
    after = [point(11, "a.item()"), point(12, "b.item()")]
    assert joined(before, after) == [(10, 11), (11, 12)]


def test_of_several_alike_the_nearest_are_joined() -> None:
    before = [point(10, "x.item()"), point(50, "x.item()")]
    assert joined(before, [point(52, "x.item()")]) == [(10, None), (50, 52)]


def test_a_line_that_was_edited_a_little_is_the_same() -> None:
    assert joined([point(10, "if loss.item() > 3:")], [point(12, "if loss.item() > limit:")]) == [
        (10, 12)
    ]


def test_a_function_that_went_to_another_file_is_found_there() -> None:
    moved = point(99, "if picked.any().item():", file="/p/experts.py")
    assert joined([point(10, "if picked.any().item():")], [moved]) == [(10, 99)]


def test_another_checkout_is_the_same_file() -> None:
    elsewhere = point(10, "x.item()", file="/home/ci/p/model.py")
    assert joined([point(10, "x.item()")], [elsewhere]) == [(10, 10)]


def test_unknown_texts_near_by_are_joined() -> None:
    assert joined([point(10, None)], [point(13, None)]) == [(10, 13)]


def test_changes_are_counts_per_step_largest_first() -> None:
    changes = line_changes(
        diagnosis(point(1, "a", 2.0), point(2, "b", 64.0)), diagnosis(point(1, "a", 3.0))
    )
    assert [each.change for each in changes] == [-64.0, 1.0]


def test_what_has_no_line_is_joined_by_its_operator() -> None:
    nowhere: dict[str, Cell] = {"file": None, "line": None, "function": None, "code": None}
    assert joined([point(0, None) | nowhere], [point(0, None) | nowhere]) == [(0, 0)]


def test_thousands_of_alike_lines_are_paired_in_their_order() -> None:
    many = [point(line, "x.item()") for line in range(1, 3001)]
    changes = line_changes(diagnosis(*many), diagnosis(*many))
    assert all(each.before == each.after for each in changes)


def test_a_diagnosis_without_sync_points_has_no_lines() -> None:
    assert lines(diagnosis()) == []


_POINTS = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from(["x.item()", "y.item()", None, "z"])), max_size=8
)


@given(_POINTS, _POINTS)
def test_every_line_is_told_once_whatever_was_joined(
    before: list[tuple[int, str | None]], after: list[tuple[int, str | None]]
) -> None:
    sides = [[point(*each) for each in side] for side in (before, after)]
    changes = line_changes(diagnosis(*sides[0]), diagnosis(*sides[1]))
    assert sorted(c.before.line for c in changes if c.before) == sorted(b[0] for b in before)
    assert sorted(c.after.line for c in changes if c.after) == sorted(a[0] for a in after)


@given(_POINTS)
def test_a_run_beside_itself_changes_nothing(points: list[tuple[int, str | None]]) -> None:
    same = diagnosis(*(point(*each) for each in points))
    assert all(each.before == each.after for each in line_changes(same, same))
