"""Regions: who gets which share of time and operators."""

from __future__ import annotations

from perfkit.capture.regions import RegionClock
from perfkit.model.run import Region


def test_steps_that_were_not_measured_are_left_out():
    clock = RegionClock()
    clock.enter("loss", 0, 10, None)
    clock.leave("loss", 0, 30, None)
    assert clock.sums({1}) == ()


def test_leaving_what_was_not_entered_does_nothing():
    clock = RegionClock()
    clock.leave("loss", 0, 10, None)
    assert clock.sums({0}) == ()


def test_calls_time_and_operators_add_up():
    clock = RegionClock()
    clock.enter("loss", 0, 10, 5)
    clock.leave("loss", 0, 30, 9)
    clock.enter("loss", 0, 40, 9)
    clock.leave("loss", 0, 45, 10)
    assert clock.sums({0}) == (Region("loss", 0, 2, 25, 5),)


def test_operators_are_unknown_where_nobody_counted():
    clock = RegionClock()
    clock.enter("loss", 0, 10, None)
    clock.leave("loss", 0, 30, 7)
    assert clock.sums({0})[0].ops is None


def test_recursion_counts_time_once():
    clock = RegionClock()
    clock.enter("tree", 0, 10, None)
    clock.enter("tree", 0, 20, None)
    clock.leave("tree", 0, 30, None)
    clock.leave("tree", 0, 50, None)
    assert clock.sums({0}) == (Region("tree", 0, 2, 40, None),)


def test_a_region_over_several_steps_gives_each_its_share_without_our_own_work():
    clock = RegionClock()
    clock.enter("epoch", 0, 10, None)
    clock.step_ended(0, 30, None)
    clock.step_began(100, None)
    assert clock.innermost == "epoch"
    clock.leave("epoch", 1, 105, None)
    assert clock.innermost is None
    assert [(r.step, r.total_ns) for r in clock.sums({0, 1})] == [(0, 20), (1, 5)]
