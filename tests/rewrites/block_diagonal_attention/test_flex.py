"""The block mask from lengths covers what the dense mask shows, and whole blocks are whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites.block_diagonal_attention import REWRITE, flex
from perfkit.rewrites.block_diagonal_attention._cases import inputs_of
from perfkit.rewrites.block_diagonal_attention.plan import AttentionPlan
from tests.rewrites.block_diagonal_attention.test_forms import batches


def blocks_of(plan, side):
    """(seen at all, seen whole) by block, from the dense mask."""
    some = np.zeros((-(-plan.queries // side), -(-plan.keys // side)), bool)
    whole = some.copy()
    mask = plan.mask.numpy()
    for row, column in np.ndindex(some.shape):
        part = mask[row * side : (row + 1) * side, column * side : (column + 1) * side]
        some[row, column], whole[row, column] = part.any(), part.all()
    return some, whole


@settings(deadline=None)
@given(batch=batches(), side=st.integers(1, 4))
def test_no_block_that_is_seen_is_left_out_and_none_is_called_whole_that_is_not(batch, side):
    plan = AttentionPlan(*batch)
    if not plan.queries:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flex, "SIDE", side)
        partly, whole = flex.blocks(plan)
    some, really_whole = blocks_of(plan, side)
    assert not (some & ~(partly | whole)).any()
    assert not (whole & ~really_whole).any()
    assert not (partly & whole).any()


def test_a_long_user_has_whole_blocks_below_the_diagonal():
    partly, whole = flex.blocks(AttentionPlan([1000]))
    assert np.array_equal(whole, np.tri(8, k=-1, dtype=bool))
    assert np.array_equal(partly, np.eye(8, dtype=bool))


def test_blocks_of_other_users_are_not_visited():
    partly, whole = flex.blocks(AttentionPlan([128] * 5))
    assert np.array_equal(partly, np.eye(5, dtype=bool))
    assert not whole.any()


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (inputs_of([]), "empty batch"),
        (inputs_of([3]), "no backward"),
        (tuple(t.double() for t in inputs_of([3], gradients=False)[:3]), "float32"),
    ],
    ids=["empty", "gradients", "float64"],
)
def test_what_it_cannot_take_is_said(inputs, reason):
    lengths = [3] if len(inputs[0]) else []
    assert reason in flex.no_flex(*inputs[:3], AttentionPlan(lengths))


@pytest.mark.slow
def test_asking_rows_are_masked_by_their_own_place():
    inputs = inputs_of([150, 3, 60], rows=[0, 140, 149, 151, 212], gradients=False)
    form = REWRITE.form("flex")
    if form.unavailable(*inputs):
        pytest.skip(form.unavailable(*inputs))
    torch.testing.assert_close(form.run(*inputs), REWRITE.reference.run(*inputs))
