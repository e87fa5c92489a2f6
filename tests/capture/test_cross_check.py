"""Detectors against the trace."""

from __future__ import annotations

from perfkit.capture.cross_check import disagreements
from perfkit.model.syncs import Sync


def sync(kind, count, step=0):
    return Sync("aten::op", kind, "d2h", "forward", (), step, count)


def test_agreement_is_silent():
    assert disagreements([sync("item", 6)], 3, [sync("item", 4)], 2) == ()


def test_one_wait_under_two_names_is_agreement():
    assert disagreements([sync("tolist", 2)], 1, [sync("item", 2)], 1) == ()


def test_set_up_is_not_compared():
    assert disagreements([], 1, [sync("item", 9, step=None)], 1) == ()


def test_nothing_is_compared_with_nothing_measured():
    assert disagreements([sync("item", 9)], 1, [], 0) == ()


def test_what_only_one_side_saw_is_told_with_both_counts():
    (gap,) = disagreements([sync("nonzero", 2)], 1, [sync("nonzero", 6)], 2)
    assert gap.what == "agreement on nonzero waits"
    assert "2.0 per step" in gap.why
    assert "3.0" in gap.why
