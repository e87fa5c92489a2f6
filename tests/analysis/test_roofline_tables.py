"""The roofline as tables."""

from __future__ import annotations

from perfkit.analysis.roofline import floors
from perfkit.analysis.roofline_tables import (
    floor_table,
    ops_with_costs,
    roofline_groups_table,
    roofline_table,
    roofs_table,
    unknown_costs_table,
)
from perfkit.analysis.run_floors import run_floors
from perfkit.model.peaks import Peaks
from perfkit.model.syncs import Frame
from tests.analysis.test_run_floors import run
from tests.cost_rows import CPU, GPU, product, row, unknown

HERE = Frame("/p/model.py", 7, "forward")


def test_without_costs_the_share_is_not_known() -> None:
    assert ops_with_costs(()) is None
    assert ops_with_costs((row(calls=3), unknown())) == 0.75


def test_what_is_not_known_is_a_row_without_numbers() -> None:
    (record,) = roofline_table(floors((unknown(),), GPU), 1).records()
    for name in ("flops", "nbytes", "intensity", "bound", "floor_ns"):
        assert record[name] is None, name
    assert record["unknown"] == "no cost model for mylib::odd"


def test_what_a_product_fills_is_told_where_units_and_sizes_are_known() -> None:
    sized = product(flops=2 * 512 * 64 * 512)
    for cost, units, filled in ((sized, None, None), (row(), 128, None), (sized, 512, 0.5)):
        (record,) = roofline_table(floors((cost,), GPU), 1, units).records()
        assert record["filled_high"] == filled
    assert record["filled_low"] == 8 / 512


def test_layers_with_the_same_shapes_and_line_are_one_row_per_step() -> None:
    costs = [
        product(us=4, module=f"M.{i}.up", place=HERE, calls=2, host_ns=9_000) for i in range(3)
    ]
    (record,) = roofline_table(floors(costs, GPU), 2).records()
    assert (record["module"], record["file"], record["line"]) == ("M.*.up", "/p/model.py", 7)
    assert (record["calls"], record["floor_ns"], record["measured_ns"]) == (3.0, 6_000, 13_500)
    assert record["intensity"] == 2 * 10**6


def test_another_reason_or_line_is_another_row() -> None:
    costs = (unknown(), unknown(unknown="no shape"), unknown(place=HERE))
    assert len(roofline_table(floors(costs, GPU), 1).rows) == 3


def test_a_share_needs_every_call_of_the_group_costed_and_measured() -> None:
    known = floors((row(us=2, host_ns=4_000),), GPU)
    shares = {
        len(rows): roofline_groups_table(rows, 1).records()[0]["share"]
        for rows in (known, (*known, *floors((unknown(host_ns=1),), GPU)))
    }
    assert shares == {1: 0.5, 2: None}


def test_the_same_reason_is_told_once() -> None:
    costs = (unknown(calls=2), unknown(calls=3), unknown("x::y"))
    records = unknown_costs_table(floors(costs, GPU), 1).records()
    assert [(r["op"], r["calls"]) for r in records] == [("mylib::odd", 5.0), ("x::y", 1.0)]
    assert unknown_costs_table(floors((row(),), GPU), 1).rows == ()


def test_roofs_are_the_figures_with_their_origin() -> None:
    records = roofs_table(GPU).records()
    assert {(r["unit"], r["dtype"]) for r in records} >= {
        ("matmul", "tf32"),
        ("vector", "float32"),
    }
    assert {r["origin"] for r in records} == {"tabulated"}
    assert roofs_table(Peaks("mystery")).rows == ()


def test_the_floor_table_tells_measured_from_predicted() -> None:
    records = floor_table(run_floors(run(peaks=CPU))).records()
    assert [r["step"] for r in records] == ["measured", *["predicted"] * 3]
    here, there = records[0], records[1]
    assert (here["low_ns"], here["step_ns"], here["syncs"]) == (None, 10_000, None)
    assert there["low_ns"] <= there["step_ns"] <= there["high_ns"]
    assert (there["syncs"], there["known_time"]) == (2.0, None)


def test_a_device_asked_for_is_the_first_row() -> None:
    records = floor_table(run_floors(run(peaks=CPU), (GPU,))).records()
    assert [(r["device"], r["step"]) for r in records[:3]] == [
        ("GPU", "predicted"),
        ("CPU", "measured"),
        ("NVIDIA H200 SXM", "predicted"),
    ]
