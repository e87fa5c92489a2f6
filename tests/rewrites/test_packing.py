"""Packed runs: refused lengths, padding that is never read, Hypothesis over lengths, copies and waits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._counting import count
from perfkit.rewrites._parity import parity
from perfkit.rewrites.packing import REWRITE, Packed, Packing, packing
from perfkit.rewrites.packing._forms import case


def test_lengths_of_another_batch_are_refused():
    with pytest.raises(PerfkitError, match="a batch of"):
        packing(torch.sin, torch.zeros(2, 3, 1), [1, 2, 3])


def test_padding_is_neither_read_nor_kept():
    x = torch.tensor([[[4.0], [float("nan")]], [[float("inf")], [1.0]]], requires_grad=True)
    out = packing(torch.sqrt, x, [1, 0], fill=-1.0)
    assert out[..., 0].tolist() == [[2, -1], [-1, -1]]
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert gradient[..., 0].tolist() == [[0.25, 0], [0, 0]]


def test_a_packing_made_before_is_used_as_it_is():
    x = torch.randn(2, 3, 1)
    where = Packing.of([3, 1])
    assert torch.equal(packing(torch.sin, x, where), packing(torch.sin, x, [3, 1]))


def test_a_wrapped_module_trains():
    inner = nn.Linear(2, 2)
    out = Packed(inner)(torch.ones(2, 3, 2), [3, 1])
    out.sum().backward()
    assert inner.weight.grad.tolist() == [[4, 4], [4, 4]]
    assert out[1, 1:].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("form", REWRITE.forms, ids=lambda form: form.name)
@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(0, 5), max_size=6), extra=st.integers(1, 3))
def test_any_lengths_give_the_output_of_the_found_code(form, lengths, extra):
    inputs = case("drawn", torch.tensor(lengths, dtype=torch.int64), extra=extra).make(0)
    proof = parity(REWRITE, form, inputs, "drawn", torch.float64)
    assert proof.holds, proof


@pytest.mark.parametrize("form", REWRITE.forms, ids=lambda form: form.name)
def test_no_form_waits_and_the_indices_are_copied_once(form):
    one = REWRITE.case("ragged")
    counted = count(form, one.make(0), one.stays_on_host)
    assert (counted.syncs, counted.copies) == (0, 3)


def test_saved_inputs_are_adopted():
    x, lengths, network = REWRITE.case("ragged").make(0)
    adopted = REWRITE.adopt(x, lengths.tolist(), network)
    assert torch.equal(REWRITE.forms[0].run(*adopted), REWRITE.forms[0].run(x, lengths, network))
