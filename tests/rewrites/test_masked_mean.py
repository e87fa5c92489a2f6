"""Masked mean: empty masks, half precision, Hypothesis over masks, waits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites._counting import count
from perfkit.rewrites._parity import parity
from perfkit.rewrites.masked_mean import REWRITE, Empty, masked_mean


def gradient_of(out: torch.Tensor, x: torch.Tensor) -> list[float]:
    return torch.autograd.grad(out, x)[0].tolist()


@pytest.mark.parametrize("empty", Empty)
def test_the_mean_of_nothing_sends_back_no_gradient(empty):
    x = torch.tensor([1.0, float("inf")], requires_grad=True)
    mean = masked_mean(x, torch.zeros(2, dtype=torch.bool), empty=empty)
    assert bool(mean.isnan()) is (empty is Empty.NAN)
    assert empty is Empty.NAN or mean.item() == 0
    assert gradient_of(mean, x) == [0, 0]


def test_not_a_number_inside_the_mask_is_not_hidden():
    x = torch.tensor([1.0, float("nan")])
    assert masked_mean(x, torch.tensor([True, True])).isnan()
    assert REWRITE.form("nanmean").unavailable(x, torch.tensor([True, True]), None)


def test_a_half_precision_sum_does_not_overflow():
    x = torch.full((400,), 300.0, dtype=torch.float16)
    mask = torch.ones(400, dtype=torch.bool)
    assert torch.where(mask, x, 0).sum().isinf()  # why the sum is wider than x
    mean = masked_mean(x, mask)
    assert (float(mean), mean.dtype) == (300, torch.float16)


def test_a_mask_broadcasts():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert masked_mean(x, torch.tensor([True, False])).tolist() == 2
    assert masked_mean(x, torch.tensor([[True], [False]]), dim=0).tolist() == [1, 2]


@settings(max_examples=60, deadline=None)
@given(
    mask=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=6),
    dim=st.sampled_from([None, 1]),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]),
)
def test_any_mask_gives_the_mean_of_the_found_code(mask, dim, dtype):
    generator = torch.Generator().manual_seed(len(mask))
    x = (1 + torch.rand(len(mask), 3, generator=generator)).requires_grad_()
    inputs = (x, torch.tensor(mask, dtype=torch.bool), dim)
    proof = parity(REWRITE, REWRITE.forms[0], inputs, "drawn", dtype)
    assert proof.holds, proof


def test_what_was_found_waits_once_per_row_and_the_rewrite_never():
    inputs = REWRITE.case("rows").make(0)
    assert count(REWRITE.reference, inputs).syncs == len(inputs[0])
    assert count(REWRITE.forms[0], inputs, backward=True).syncs == 0


def test_a_mask_of_whole_rows_is_unsqueezed():
    x, rows = torch.arange(9.0).view(3, 3), torch.tensor([True, True, False])
    assert torch.equal(masked_mean(x, rows.unsqueeze(1)), x[rows].mean())
    assert not torch.equal(masked_mean(x, rows), x[rows].mean())
