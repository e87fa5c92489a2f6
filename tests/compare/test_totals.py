"""What is counted per step, and the estimate of what waits cost: nothing twice, and unknown is not zero."""

from __future__ import annotations

from dataclasses import replace

from perfkit.compare.totals import cost_of_waits, looked, together
from perfkit.model.diagnosis import Saving
from tests.compare.pictures import diagnosis, finding, outcome, point


def test_nobody_looked_so_the_cost_of_waits_is_unknown() -> None:
    blind = diagnosis(outcomes=(outcome("host-wait-in-step", state="not-observable"),))
    assert not looked(blind)
    assert cost_of_waits(blind) is None


def test_waits_without_an_estimate_are_not_free() -> None:
    assert cost_of_waits(diagnosis(outcomes=(outcome("host-wait-in-step", finding(1)),))) is None


def test_what_waits_for_nothing_costs_nothing() -> None:
    cost = cost_of_waits(diagnosis())
    assert cost is not None
    assert (cost.low_ns, cost.high_ns) == (0, 0)


def test_what_is_no_wait_is_left_out() -> None:
    found = (outcome("host-wait-in-step"), outcome("input-bound", finding(1, "x", 1_000)))
    cost = cost_of_waits(diagnosis(outcomes=found))
    assert cost is not None
    assert cost.high_ns == 0


def test_waits_copies_and_groups_of_lines_are_added_up() -> None:
    group = replace(finding(3, "z", 100), evidence={"lines": "a.py:1 (2)"})
    found = (
        outcome("host-wait-in-step", finding(1, "x", 10), finding(3)),
        outcome("blocking-copies", finding(2, "y", 20)),
        outcome("per-expert-loop", group),
    )
    cost = cost_of_waits(diagnosis(point(1, "x"), outcomes=found))
    assert cost == Saving(65, 130, 260, "all added up")


def test_findings_that_are_gone_overlap() -> None:
    assert together(()) is None
    assert together((finding(1),)) is None
    cost = together((finding(1, "x", 10), finding(2, "y", 6)))
    assert cost is not None
    assert (cost.low_ns, cost.likely_ns, cost.high_ns) == (5, 16, 32)
