"""Operators per step: shares of one side, unknown device time stays unknown."""

from __future__ import annotations

import pytest

from perfkit.analysis.operators import device_time_attributed, most_called, operators_table
from perfkit.base.errors import NotObservable
from perfkit.model.run import OpStat
from tests.draw import draw

HOST = (OpStat("aten::mm", "host", 4, 90, 60), OpStat("aten::add", "host", 10, 20, 20))


def test_without_a_traced_step_operators_are_not_observable() -> None:
    for run in (draw("step  bbbb", ops=HOST), draw("step  llll")):
        with pytest.raises(NotObservable):
            operators_table(run)
    assert most_called(draw("step  bbbb", ops=HOST)) is None


def test_no_device_has_no_share_of_device_time() -> None:
    assert device_time_attributed(draw("step  llll", ops=HOST)) is None


def test_self_time_per_step_ranked_with_shares_of_its_side() -> None:
    kernel = OpStat("gemm", "device", 2, 500, 500)
    run = draw("step  llll.llll", ops=(*HOST[::-1], kernel))
    rows = operators_table(run).records()
    assert [(r["name"], r["calls"], r["self_ns"], r["total_ns"], r["share"]) for r in rows] == [
        ("gemm", 1.0, 250, 250, 1.0),
        ("aten::mm", 2.0, 30, 45, 0.75),
        ("aten::add", 5.0, 10, 10, 0.25),
    ]
    assert {r["device_ns"] for r in rows} == {None}


def test_most_called_is_by_calls_and_not_by_time() -> None:
    assert most_called(draw("step  llll.llll", ops=HOST)) == ("aten::add", 5.0)


def test_device_time_is_attributed_through_the_launching_operators() -> None:
    ops = (OpStat("aten::mm", "host", 1, 9, 9, device_ns=75), OpStat("k", "device", 1, 100, 100))
    assert device_time_attributed(draw("step  llll", ops=ops)) == 0.75
