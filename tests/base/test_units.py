"""Numbers for people."""

from __future__ import annotations

import pytest

from perfkit.base import units


def test_unknown_is_never_a_number():
    assert units.ns(None) == units.nbytes(None) == units.ratio(None) == "unknown"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 ns"), (999, "999 ns"), (1_240_000, "1.24 ms"), (61_500, "61.5 µs"), (2.9e9, "2.9 s"),
     (4_200_000_000_000, "4,200 s")],
)  # fmt: skip
def test_durations_keep_three_digits(value, text):
    assert units.ns(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (5 * 2**30, "5 GiB"), (3 * 2**40, "3 TiB")]
)
def test_sizes_are_binary(value, text):
    assert units.nbytes(value) == text


def test_counts_show_a_fraction_only_where_there_is_one():
    assert (units.count(1280), units.count(2.5), units.ratio(1.084)) == ("1,280", "2.5", "1.08x")


def test_a_share_is_nothing_or_all_only_where_it_is_exactly_that() -> None:
    shown = [units.share(value) for value in (0.0, 0.001, 0.474, 0.999, 1.0)]
    assert shown == ["0%", "<1%", "47%", ">99%", "100%"]
