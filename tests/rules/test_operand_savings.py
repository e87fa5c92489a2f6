"""What leaving out copies gains, by what limits the step."""

from __future__ import annotations

import pytest

from perfkit.analysis.run_floors import run_floors
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Saving
from perfkit.model.operands import Operands
from perfkit.rules._operands import by_place, copies_saving, device_saving, operands
from tests.cost_rows import row
from tests.rules.operand_runs import predicted, run

H200 = 4_800
"""Bytes per ns."""


def floor(launches: float, us: float):
    costs = (row(us=us * 4.8),)
    return run_floors(predicted(launches=launches, costs=costs)).first


def saved(launches: float, us: float) -> tuple[int, int, int]:
    """Of 1,000 ns of bytes and one launch of 5 µs."""
    found = copies_saving(1000 * H200, 1.0, floor(launches, us))
    assert found is not None
    return found.low_ns, found.likely_ns, found.high_ns


@pytest.mark.parametrize(
    ("launches", "us", "likely"),
    [(1, 1000, 1000), (100, 1, 5000), (20, 100, 1000)],
    ids=["the device limits", "launches limit", "both do"],
)
def test_likely_is_what_limits_the_step(launches: float, us: float, likely: int) -> None:
    assert saved(launches, us) == (1000, likely, 5000)


def test_device_time_is_nothing_at_low_where_launches_limit() -> None:
    shares = (0.5, 0.6, 1.0)
    assert device_saving(100, shares, "m", floor(1, 1000)) == Saving(50, 60, 100, "m")
    assert device_saving(100, shares, "m", floor(100, 1)) == Saving(0, 60, 100, "m")


def test_nobody_looked_is_not_nothing_seen() -> None:
    assert operands(run(), "cast") == ()
    with pytest.raises(NotApplicable):
        operands(run(operands=None, costed_steps=0), "cast")
    with pytest.raises(NotObservable):
        operands(run(operands=None), "cast")


def test_rows_without_a_line_go_by_module_with_layers_together() -> None:
    rows = [
        Operands("cast", "aten::_to_copy", (8,), "", 1, module=f"M.{layer}") for layer in (0, 1)
    ]
    assert list(map(len, by_place(rows))) == [2]
