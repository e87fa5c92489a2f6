"""How well products fill a device: what is not known first, then counts by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.analysis.wave_quantisation import (
    WIDE_TILES,
    Sizes,
    filling,
    product_sizes,
    split,
    tiling,
)
from perfkit.costs import _index
from perfkit.costs._call import Call, Operand
from perfkit.costs._signature import signature
from perfkit.model.costs import OpCost

A100 = 108


def costed(op: str, *shapes: tuple[int, ...], calls: int = 1) -> OpCost:
    """A row as the recorder makes it, from shapes alone."""
    call = Call(op, tuple(Operand(shape, "bfloat16") for shape in shapes))
    cost = _index.cost(call)
    assert isinstance(cost, _index.Cost), cost
    return OpCost(op, signature(call), calls, cost.flops * calls, 1, 1, cost.unit, dtype="bfloat16")


@pytest.mark.parametrize(
    "cost",
    [
        OpCost("aten::mm", "bf16[8,8] x bf16[8,8]", 1, unknown="no shape"),
        OpCost("aten::mm", "", 1, 1024, 1, 1, "matmul"),
        OpCost("aten::mm", "bf16[8] x bf16[8]", 1, 1024, 1, 1, "matmul"),
        OpCost("aten::mm", "bf16[8,8] x bf16[8,8]", 1, 999, 1, 1, "matmul"),
        OpCost("aten::mm", "bf16[8,0] x bf16[0,8]", 1, 0, 1, 1, "matmul"),
        OpCost("aten::add", "bf16[8,8] x bf16[8,8]", 1, 1024, 1, 1),
        OpCost("aten::convolution", "bf16[8,8] x bf16[8,8]", 1, 1024, 1, 1, "matmul"),
        OpCost("aten::mm", "<b>", 1, 1024, 1, 1, "matmul"),
    ],
    ids=["no cost", "no signature", "vectors", "other FLOPs", "empty", "elementwise",
         "a convolution", "redacted"],
)  # fmt: skip
def test_sizes_that_are_not_known(cost: OpCost) -> None:
    assert product_sizes(cost) is None
    assert filling(cost, A100) is None


def test_a_device_of_unknown_units_is_not_filled() -> None:
    assert filling(costed("aten::mm", (512, 64), (64, 512)), None) is None


@pytest.mark.parametrize(
    ("cost", "sizes"),
    [
        (costed("aten::mm", (30, 20), (20, 10), calls=3), Sizes(1, 30, 20, 10)),
        (costed("aten::addmm", (10,), (30, 20), (20, 10)), Sizes(1, 30, 20, 10)),
        (costed("aten::bmm", (4, 30, 20), (4, 20, 10)), Sizes(4, 30, 20, 10)),
        (costed("aten::baddbmm", (4, 30, 10), (4, 30, 20), (4, 20, 10)), Sizes(4, 30, 20, 10)),
        (costed("aten::linear", (5, 6, 20), (10, 20), (10,)), Sizes(1, 30, 20, 10)),
    ],
    ids=lambda value: value.op if isinstance(value, OpCost) else "",
)
def test_sizes_are_read_off_what_the_recorder_writes(cost: OpCost, sizes: Sizes) -> None:
    assert product_sizes(cost) == sizes


@pytest.mark.parametrize(
    ("side", "tiles", "efficiency"),
    [(1792, 98, 98 / 108), (1793, 120, 1793**2 / (120 * 256 * 128) * 120 / 216)],
)
def test_one_column_more_than_a_wave_is_a_second_wave(side, tiles, efficiency) -> None:
    found = tiling(Sizes(1, side, 4096, side), (256, 128), A100)
    assert found.tiles == tiles
    assert found.efficiency == pytest.approx(efficiency)


def test_a_thin_output_fills_an_eighth_of_its_smallest_tile() -> None:
    found = filling(costed("aten::mm", (64 * A100, 64), (64, 8)), A100)
    assert found is not None
    assert found.high == pytest.approx(1 / 8)
    assert found.low == pytest.approx(27 / 108 * 8 / 128), "27 tiles of 256 x 128"


def test_batches_fill_units_too() -> None:
    found = filling(costed("aten::bmm", (A100, 64, 64), (A100, 64, 64)), A100)
    assert found is not None
    assert found.high == 1.0


def test_a_long_inner_side_may_be_cut_so_that_all_units_work() -> None:
    short, long = (
        filling(costed("aten::mm", (256, inner), (inner, 256)), 128) for inner in (256, 2048)
    )
    assert short is not None and long is not None
    assert (short.low, short.high) == (2 / 128, 16 / 128)
    assert (long.low, long.high) == (2 / 128, 1.0)


def test_outside_of_tensor_cores_tiles_may_be_smaller() -> None:
    narrow = costed("aten::mm", (256, 256), (256, 256))
    found = [filling(replace(narrow, dtype=d), 128) for d in ("bfloat16", "float32")]
    assert [each.high for each in found if each is not None] == [16 / 128, 64 / 128]


def test_more_than_a_wave_is_not_cut_further() -> None:
    plain = tiling(Sizes(1, 1024, 10**6, 1024), (64, 64), A100)
    assert split(plain, 10**6) == plain


SIDES = st.integers(1, 5000)


@given(st.builds(Sizes, st.integers(1, 64), SIDES, SIDES, SIDES), st.integers(1, 400))
def test_no_product_is_fuller_than_full(sizes: Sizes, units: int) -> None:
    for tile in WIDE_TILES:
        plain = tiling(sizes, tile, units)
        plain.self_check()
        cut = split(plain, sizes.inner)
        cut.self_check()
        assert cut.efficiency >= plain.efficiency
        assert cut.tiles == plain.tiles or cut.waves <= 1
