from __future__ import annotations

from perfkit.fixes._places import Places

GIVEN = "a\nb\nc\nd\n"


def test_without_lines_of_interest_everything_is_wanted() -> None:
    assert Places(GIVEN).wants([(3, 3)])


def test_only_spans_that_hold_a_line_are_wanted() -> None:
    places = Places(GIVEN, (2,))
    assert places.wants([(1, 3)]) and not places.wants([(3, 4)])


def test_lines_are_followed_through_what_is_put_above_them() -> None:
    places = Places(GIVEN, (3,))
    places.follow("new\nnew\n" + GIVEN)
    assert places.wants([(5, 5)]) and not places.wants([(3, 3)])
    assert places.given([(5, 6)]) == ((3, 4),)


def test_what_stands_in_place_of_a_line_is_that_line() -> None:
    places = Places(GIVEN, (2,))
    places.follow("a\nx\ny\nc\nd\n")
    assert places.wants([(3, 3)])
    assert places.given([(3, 3)]) == ((2, 2),)


def test_new_lines_were_nowhere() -> None:
    places = Places(GIVEN)
    places.follow("a\nnew\nb\nc\nd\n")
    assert places.given([(2, 2)]) == ()
