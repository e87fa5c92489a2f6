"""Products off the tensor cores, and sides they dislike."""

from __future__ import annotations

import pytest

from perfkit.analysis.roofline import floors
from perfkit.analysis.tensor_cores import odd_sides, off_tensor_cores, unaligned, unfilled
from tests.cost_rows import CPU, GPU, product, row

SMALL = "bf16[512,128] x bf16[128,256]"
"""32 tiles of 64 x 64, 4 of 128 x 256."""


def small(calls: int = 1, **fields: object) -> object:
    flops = 2 * 512 * 128 * 256 * calls
    about = {"signature": SMALL, "dtype": "bfloat16", "flops": flops, "calls": calls}
    return product(**{**about, **fields})


def half(signature: str, **fields: object) -> object:
    return product(signature=signature, **{"dtype": "bfloat16", **fields})


@pytest.mark.parametrize(
    ("costs", "peaks"),
    [
        ((row(),), GPU),
        ((product(dtype="bfloat16"),), GPU),
        ((product(dtype="float64"),), GPU),
        ((product(),), CPU),
        ((product(op="aten::convolution"),), GPU),
    ],
    ids=[
        "no product",
        "narrow already",
        "no float32",
        "a device without tensor cores",
        "a convolution",
    ],
)
def test_silent_on(costs, peaks) -> None:
    assert off_tensor_cores(floors(costs, peaks), peaks) is None


def test_float32_products_could_be_as_fast_as_their_roofline_in_tf32() -> None:
    found = off_tensor_cores(floors((product(us=8), row()), GPU), GPU)
    assert found is not None
    assert (found.now_ns, found.best_ns, len(found.rows)) == (8000.0, 1000.0, 1)


def test_measured_products_shrink_in_proportion() -> None:
    found = off_tensor_cores(floors((product(us=8, device_ns=16_000),), GPU), GPU)
    assert found is not None
    assert (found.now_ns, found.best_ns) == (16_000.0, 2000.0)


@pytest.mark.parametrize(
    ("cost", "sides"),
    [
        (half("bf16[512,64] x bf16[64,1024]"), ()),
        (half("bf16[7] x bf16[512,64] x bf16[64,1024]"), ()),
        (half("bf16[3,512,64] x bf16[3,64,8]"), ()),
        (product(signature="f32[7,7] x f32[7,7]"), ()),
        (half("bf16[512,62] x bf16[62,1001]"), (62, 1001)),
        (half("i8[8,16] x i8[16,24]", dtype="int8"), (8, 24)),
    ],
    ids=["even", "a bias", "a batch", "float32", "odd", "8-bit types want 16"],
)
def test_sides(cost, sides) -> None:
    assert odd_sides(cost) == sides


def test_float32_has_sides_only_where_tf32_takes_it() -> None:
    cost = product(signature="f32[8,6] x f32[6,12]")
    assert odd_sides(cost) == ()
    assert odd_sides(cost, tf32=True) == (6,)
    assert unaligned(floors((cost,), GPU), tf32=True) is not None


def test_the_slowest_odd_product_names_the_sides() -> None:
    quick, slow = half("bf16[8,7] x bf16[7,8]", us=1), half("bf16[8,9] x bf16[9,8]", us=5)
    found = unaligned(floors((quick, slow, half("bf16[8,8] x bf16[8,8]")), GPU))
    assert found is not None
    assert found.unaligned == (9,)
    assert len(found.rows) == 2
    assert unaligned(floors((half("bf16[8,8] x bf16[8,8]"),), GPU)) is None


@pytest.mark.parametrize(
    ("cost", "units"),
    [
        (small(), None),
        (small(), 32),
        (small(), 53),
        (small(flops=None, unknown="why"), 100),
        (small(read=10**9), 100),
        (row(), 100),
    ],
    ids=["units unknown", "all units", "60 %", "no cost", "bound by memory", "no product"],
)
def test_silent_on_products_that_fill_the_device_or_wait_for_memory(cost, units) -> None:
    assert unfilled(floors((cost,), GPU), units) is None


def test_small_products_could_run_on_all_units_at_once() -> None:
    found = unfilled(floors((small(device_ns=4_000), small(2, device_ns=16_000)), GPU), 128)
    assert found is not None
    assert (found.now_ns, found.best_ns) == (20_000.0, 5_000.0)
    assert found.rows[0].calls == 2, "what takes longest first"
    assert (found.filled.low, found.filled.high) == (4 / 128, 32 / 128)
