"""Floors of operators, and sums of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.analysis.roofline import BY, by, floor, floors, layers_together
from perfkit.model.peaks import Peaks
from tests.cost_rows import GPU, product, row, unknown


def test_what_is_not_known_has_no_floor_and_says_why():
    found = floor(unknown(), GPU)
    assert (found.ns, found.bound) == (None, None)
    assert found.why == "no cost model for mylib::odd"


def test_a_device_without_figures_has_no_floors():
    found = floor(product(), Peaks("mystery"))
    assert (found.ns, found.bound) == (None, None)
    assert "mystery" in found.why


def test_a_floor_from_bytes_alone_is_a_floor_and_says_what_is_missing():
    found = floor(product(read=10**6, dtype="int4"), GPU)
    assert (found.ns, found.compute_ns, found.bound) == (1000.001, None, "memory")
    assert found.why == "no matmul peak for int4 on GPU"


def test_a_view_takes_nothing():
    found = floor(row(us=0), GPU)
    assert (found.ns, found.bound) == (0.0, "nothing")


def test_the_slower_of_arithmetic_and_memory_is_the_floor():
    assert (floor(row(us=3), GPU).ns, floor(row(us=3), GPU).bound) == (3000.0, "memory")
    assert (floor(product(us=3), GPU).ns, floor(product(us=3), GPU).bound) == (3000.0, "compute")
    on_ridge = replace(product(us=1), read=5 * 10**5, written=5 * 10**5)
    assert floor(on_ridge, GPU).bound == "memory"


def test_tf32_counts_only_where_the_program_allowed_it():
    assert floor(product(us=8), GPU, tf32=True).ns == 1000.0
    assert floor(product(us=8), GPU).ns == 8000.0


def test_narrow_floats_outside_of_products_run_as_float32():
    assert floor(replace(product(), unit="vector", dtype="bfloat16"), GPU).ns == 1000.0
    assert floor(replace(product(), unit="vector", dtype="float64"), GPU).compute_ns is None


def test_groups_leave_out_what_has_no_name_and_keep_the_unknown_in_sight():
    rows = floors(
        (
            product(us=4, module="M.layers.0.up", calls=2),
            row(us=1, module="M.layers.1.up"),
            unknown(module="M.layers.1.up", calls=3),
            row(us=9),
        ),
        GPU,
    )
    (group,) = by(rows, "module")
    assert group.name == "M.layers.*.up"
    assert (group.calls, group.known, group.floor_ns) == (6, 3, 5000.0)
    assert (group.bound, group.measured_ns) == ("compute", None)
    (whole,) = by(rows, "step")
    assert (whole.calls, whole.floor_ns) == (7, 14_000.0)
    assert by(floors((unknown(),), GPU), "op")[0].bound is None


def test_time_is_known_only_where_every_row_was_measured():
    rows = floors((row(host_ns=5), row(device_ns=7, host_ns=1)), GPU)
    assert by(rows, "step")[0].measured_ns == 12
    assert by((*rows, floor(row(), GPU)), "step")[0].measured_ns is None


def test_repeated_layers_are_one_name():
    assert layers_together("M.layers.12.moe.experts.3.up") == "M.layers.*.moe.experts.*.up"
    assert layers_together("M2.fc1") == "M2.fc1"
    assert layers_together("Sequential.0") == "Sequential.*"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["aten::add", "aten::mm", "x::y"]),
            st.integers(0, 10**9),
            st.integers(0, 10**9),
            st.sampled_from(["M.0", "M.1", "N", None]),
        )
    )
)
def test_groups_sum_to_their_rows(drawn: list[tuple[str, int, int, str | None]]) -> None:
    costs = [
        unknown(op, module=module)
        if op == "x::y"
        else row(op, module=module, flops=flops, read=nbytes, written=0)
        for op, flops, nbytes, module in drawn
    ]
    rows = floors(costs, GPU)
    for what in BY:
        groups = by(rows, what)
        for group in groups:
            group.self_check()
        if what in ("op", "step"):
            total = sum(each.ns or 0.0 for each in rows)
            assert sum(group.floor_ns for group in groups) == pytest.approx(total)
