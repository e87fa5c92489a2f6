"""Work on padded places and on pairs of an attention, told by sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.analysis.roofline import floors
from perfkit.analysis.sequence_work import is_of_pairs, makes_mask, sequence_work, summed_ns
from tests.cost_rows import GPU, product, row

SDPA = "aten::_scaled_dot_product_efficient_attention"


@pytest.mark.parametrize(
    "cost",
    [
        row(signature="f32[16,8]"),
        row(signature="f32[16,16]"),
        row(signature="f32[4,16,8]"),
        product(signature="f32[64,8] x f32[8,16]"),
        product(op="aten::bmm", signature="f32[4,16,8] x f32[4,8,12]"),
        product(op=SDPA, signature="f32[2,4,16,8] x f32[2,4,99,8] x f32[2,4,99,8]"),
        product(op=SDPA, signature=""),
    ],
    ids=["other sizes", "a square weight", "places", "a linear layer", "other keys",
         "attention to others", "no shapes"],
)  # fmt: skip
def test_not_of_pairs(cost) -> None:
    assert not is_of_pairs(cost, 16, 16)


@pytest.mark.parametrize(
    "cost",
    [
        row(signature="f32[2,4,16,16] x b8[16,16]"),
        product(op="aten::bmm", signature="f32[8,16,8] x f32[8,8,16]"),
        product(op="aten::baddbmm", signature="f32[8,16,16] x f32[8,16,8] x f32[8,8,16]"),
        product(op=SDPA, signature="f32[2,4,16,8] x f32[2,4,16,8] x f32[2,4,16,8]"),
    ],
    ids=["scores", "the product that makes them", "with a bias", "fused"],
)
def test_of_pairs(cost) -> None:
    assert is_of_pairs(cost, 16, 16)


def test_places_and_pairs_of_a_batch_share_no_row_and_leave_the_optimizer_out() -> None:
    costs = (
        row(us=1, signature="f32[4,16,8]"),
        product(us=2, signature="f32[64,8] x f32[8,32]"),
        row(us=4, signature="f32[4,16,16]"),
        row(us=8, signature="f32[64,8]", phase="other"),
        row(us=16, signature="f32[32,8]"),
    )
    work = sequence_work(floors(costs, GPU), 4, 16)
    assert (summed_ns(work.places), summed_ns(work.pairs)) == (3_000, 4_000)


@pytest.mark.parametrize(
    ("changes", "makes"),
    [
        ({}, True),
        ({"module": None}, False),
        ({"phase": "backward"}, False),
        ({"unit": "matmul"}, False),
        ({"signature": "b8[16,8]"}, False),
    ],
)
def test_masks_are_made_in_the_forward_of_a_module(changes, makes) -> None:
    mask = row(signature="i64[16,16]", module="M", phase="forward")
    assert makes_mask(replace(mask, **changes), 16, 16) is makes
