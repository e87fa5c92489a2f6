"""Packing indices: refused lengths, then layout, inverse and gradient."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.pretend import pretend_cuda
from perfkit.rewrites.packing.layout import Packing, pack, unpack

lengths_of_a_batch = st.lists(st.integers(0, 5), max_size=6)


@pytest.mark.parametrize(("lengths", "longest"), [([2, -1], None), ([4], 3)])
def test_lengths_outside_the_batch_are_refused(lengths, longest):
    with pytest.raises(PerfkitError, match="lengths from"):
        Packing.of(lengths, longest)


def test_lengths_on_a_device_are_refused_because_reading_them_waits():
    with pretend_cuda(), pytest.raises(PerfkitError, match="would wait"):
        Packing.of(torch.tensor([2, 1], device="cuda"))


def test_another_batch_is_refused():
    where = Packing.of([2, 1])
    with pytest.raises(PerfkitError, match="a batch of"):
        pack(torch.zeros(2, 3), where)
    with pytest.raises(PerfkitError, match="4 rows for a packing of 3"):
        unpack(torch.zeros(4), where)


def test_the_efficiency_of_no_places_is_unknown():
    assert Packing.of([]).efficiency is None
    assert Packing.of([0, 0]).efficiency is None
    assert Packing.of([0, 2]).efficiency == 0.5


def test_positions_start_anew_and_starts_are_int32():
    where = Packing.of([2, 0, 3], longest=4)
    assert where.rows.tolist() == [0, 1, 8, 9, 10]
    assert where.positions.tolist() == [0, 1, 0, 1, 2]
    assert where.cu_seqlens.tolist() == [0, 2, 2, 5]
    assert where.cu_seqlens.dtype == torch.int32
    assert (where.total, where.sequences, where.longest, where.max_seqlen) == (5, 3, 4, 3)


@settings(max_examples=60, deadline=None)
@given(lengths=lengths_of_a_batch, extra=st.integers(0, 2), trailing=st.sampled_from([(), (2,)]))
def test_unpacking_undoes_packing_and_packing_undoes_unpacking(lengths, extra, trailing):
    longest = max(lengths, default=0) + extra
    where = Packing.of(lengths, longest)
    tokens = 1 + torch.arange(where.total * (2 if trailing else 1)).view(where.total, *trailing)
    spread = unpack(tokens, where, fill=-1)
    assert torch.equal(pack(spread, where), tokens)
    inside = torch.arange(longest) < torch.tensor(lengths, dtype=torch.int64)[:, None]
    assert torch.equal(
        spread == -1, ~inside.view(*inside.shape, *(1,) * len(trailing)).expand_as(spread)
    )


@given(lengths=lengths_of_a_batch)
def test_gradients_reach_tokens_and_nothing_else(lengths):
    where = Packing.of(lengths)
    x = torch.zeros(where.sequences, where.longest, requires_grad=True)
    (gradient,) = torch.autograd.grad(unpack(pack(x, where), where).sum(), x)
    assert gradient.sum(1).tolist() == lengths
