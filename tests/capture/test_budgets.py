"""Counting by line against a limit."""

from __future__ import annotations

import pytest

from perfkit.capture.budgets import Copies, CopyBudgetError, Count, LaunchBudgetError, Launches


def test_nothing_counted_has_no_costliest_line():
    assert Count(0).costliest is None
    assert not Count(0).exceeded


def test_any_amount_fits_without_a_limit():
    count = Count()
    count.add("a.py:1", 10**9)
    assert not count.exceeded


def test_the_limit_itself_fits():
    count = Count(2)
    count.add("a.py:1", 2)
    assert not count.exceeded
    count.add("a.py:2", 1)
    assert count.exceeded
    assert (count.costliest, count.total) == ("a.py:1", 3)


def test_launches_are_named_from_the_most_to_the_least():
    launches = Launches(3)
    for op, amount in (("aten::add", 1), ("aten::mul", 4)):
        launches(op, (), amount, "")
    launches.settle()
    with pytest.raises(
        LaunchBudgetError, match=r"5 operators[\s\S]*4 x aten::mul[\s\S]*1 x aten::add"
    ):
        launches.check()


def test_lines_beyond_a_screen_are_counted_not_listed():
    copies = Copies(0)
    for number in range(11):
        copies(f"aten::copy_{number}", (), 1, "fix")
    with pytest.raises(CopyBudgetError, match="and 3 lines more"):
        copies.check()
