"""Masked writes: what must stay as it is, then values, gradients and waits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites._counting import count
from perfkit.rewrites._parity import parity
from perfkit.rewrites.masked_write import REWRITE, Network, masked_rows, masked_write


def test_the_input_is_not_changed():
    x = torch.ones(3)
    masked_write(x, torch.tensor([True, False, False]), 5.0)
    assert x.tolist() == [1, 1, 1]


def test_the_dtype_stays_that_of_the_input():
    mask = torch.tensor([True, False])
    for value in (2.5, torch.tensor([2.5, 0.0], dtype=torch.float64)):
        for dtype in (torch.float16, torch.bfloat16, torch.float32):
            assert masked_write(torch.zeros(2, dtype=dtype), mask, value).dtype == dtype
    assert masked_write(torch.zeros(2, dtype=torch.int64), mask, 3).tolist() == [3, 0]


def test_rows_beyond_the_capacity_stay_as_they_are():
    x, mask = torch.ones(4, 1), torch.tensor([True, False, True, True])
    assert masked_rows(x, mask, lambda rows: rows + 1, 2)[:, 0].tolist() == [2, 1, 2, 1]


def test_spare_rows_show_the_function_only_safe_numbers():
    seen = []

    def change(rows: torch.Tensor) -> torch.Tensor:
        seen.append(rows.clone())
        return rows.sqrt()

    x = torch.tensor([[-1.0], [4.0]], requires_grad=True)
    out = masked_rows(x, torch.tensor([False, True]), change, 2, safe=7.0)
    assert seen[0][:, 0].tolist() == [4, 7]
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert gradient[:, 0].tolist() == [1, 0.25]


def test_elements_not_meant_get_a_clean_gradient():
    x = torch.tensor([-1.0, 4.0], requires_grad=True)
    out = masked_write(x, torch.tensor([False, True]), torch.sqrt)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert gradient.tolist() == [1, 0.25]


@pytest.mark.parametrize("form", REWRITE.forms[:2], ids=lambda form: form.name)
@settings(max_examples=30, deadline=None)
@given(
    mask=st.lists(st.booleans(), max_size=8),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]),
)
def test_any_rows_are_changed_as_by_the_found_code(form, mask, seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(mask), 3, generator=generator).requires_grad_()
    inputs = (x, torch.tensor(mask, dtype=torch.bool), torch.tanh, 1.0, max(len(mask), 1))
    proof = parity(REWRITE, form, inputs, "drawn", dtype)
    assert proof.holds, proof


@pytest.mark.parametrize("form", REWRITE.forms[:2], ids=lambda form: form.name)
def test_what_was_found_waits_for_read_and_write_and_the_forms_do_not(form):
    x, mask = torch.randn(6, 4), torch.tensor([True, False] * 3)
    inputs = (x, mask, Network.drawn(4), 1.0, 3)
    assert count(REWRITE.reference, inputs).syncs == 2
    assert count(form, inputs).syncs == 0


def test_the_choice_follows_function_mask_and_capacity():
    x, rows, every = torch.zeros(8, 2), torch.zeros(8, dtype=torch.bool), torch.zeros(8, 2).bool()
    assert REWRITE.choose(x, rows, torch.tanh, 1.0, 4) == "rows"
    assert REWRITE.choose(x, rows, torch.tanh, 1.0, 5) == "where"
    assert REWRITE.choose(x, every, torch.tanh, 1.0, 4) == "where"
    assert REWRITE.choose(x, rows, 0.0, 1.0, 4) == "where"
