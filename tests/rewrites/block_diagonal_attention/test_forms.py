"""Attention forms: Hypothesis over users and asking rows; users stay apart, the future unseen."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.rewrites import _parity
from perfkit.rewrites._counting import count
from perfkit.rewrites._rewrite import Form
from perfkit.rewrites.block_diagonal_attention import (
    REWRITE,
    AttentionPlan,
    block_diagonal_attention,
)
from perfkit.rewrites.block_diagonal_attention._cases import inputs_of

ON_A_CPU = ("by user", "buckets", "dense mask", "padded")
every_form = pytest.mark.parametrize("form", ON_A_CPU)


@st.composite
def batches(draw):
    """(lengths, rows that ask or None)."""
    lengths = draw(st.lists(st.integers(0, 9), max_size=9))
    rows = (
        st.lists(st.sampled_from(range(sum(lengths))), unique=True) if sum(lengths) else st.just([])
    )
    return lengths, draw(st.one_of(st.none(), rows.map(sorted)))


@every_form
@settings(deadline=None, max_examples=40)
@given(batch=batches())
def test_any_batch_gives_the_rows_of_the_found_code(form, batch):
    lengths, rows = batch
    # where every asking row sees itself only, the slopes of queries and keys are rounding
    gradients = bool(AttentionPlan(lengths, rows).seen.any())
    inputs = inputs_of(lengths, rows, gradients=gradients)
    proof = _parity.parity(REWRITE, REWRITE.form(form), inputs, "any", torch.float64)
    assert proof.holds, proof


@every_form
@pytest.mark.parametrize(("dtype", "error"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision_is_close(form, dtype, error):
    q, k, v, offsets, lengths = inputs_of([3, 0, 40, 1, 17])
    wanted = REWRITE.reference.run(q, k, v, offsets, lengths)
    plan = AttentionPlan(lengths)
    halves = (tensor.detach().to(dtype) for tensor in (q, k, v))
    torch.testing.assert_close(
        block_diagonal_attention(*halves, plan, form=form).float(), wanted, rtol=0, atol=error
    )


@every_form
@pytest.mark.parametrize("spoilt", [float("nan"), 1e30])
def test_a_user_is_not_touched_by_what_another_user_holds(form, spoilt):
    q, k, v, _, lengths = inputs_of([4, 6, 3], gradients=False)
    plan = AttentionPlan(lengths)
    before = block_diagonal_attention(q, k, v, plan, form=form)
    k[4:10] = spoilt
    after = block_diagonal_attention(q, k, v, plan, form=form)
    if form != "dense mask" or spoilt == spoilt:  # a masked NaN is still a NaN times zero
        torch.testing.assert_close(after[:4], before[:4], rtol=0, atol=1e-6)
        torch.testing.assert_close(after[10:], before[10:], rtol=0, atol=1e-6)


@every_form
def test_rows_do_not_see_what_comes_after_them(form):
    q, k, v, _, lengths = inputs_of([8, 5], gradients=False)
    plan = AttentionPlan(lengths)
    before = block_diagonal_attention(q, k, v, plan, form=form)
    k[5:8], v[5:8] = 7.0, 7.0
    after = block_diagonal_attention(q, k, v, plan, form=form)
    torch.testing.assert_close(after[:5], before[:5], rtol=0, atol=1e-6)
    assert not torch.equal(after[5:8], before[5:8])


@every_form
def test_one_plan_serves_all_layers_and_then_copies_nothing(form):
    inputs = inputs_of([4, 6, 3], gradients=False)
    plans = {}

    def layers(q, k, v):
        plan = plans.setdefault("one", AttentionPlan([4, 6, 3], device=q.device))
        return [block_diagonal_attention(q, k, v, plan, form=form) for _ in range(3)]

    def first_layer(q, k, v):
        return block_diagonal_attention(
            q, k, v, AttentionPlan([4, 6, 3], device=q.device), form=form
        )

    three = count(Form("three", layers, ""), inputs[:3])
    one = count(Form("one", first_layer, ""), inputs[:3])
    assert three.copies == one.copies
    assert three.syncs == one.syncs == 0


@every_form
@pytest.mark.parametrize("name", ["short", "some rows ask"])
def test_no_form_waits_for_the_device(form, name):
    case = REWRITE.case(name)
    inputs = case.make(0)
    assert count(REWRITE.reference, inputs, case.stays_on_host).syncs == 2
    assert count(REWRITE.form(form), inputs, case.stays_on_host).syncs == 0


def test_eight_layers_in_buckets_launch_fewer_kernels_than_500():
    case = REWRITE.case("short")
    inputs = case.make(0)
    assert 8 * count(REWRITE.form("buckets"), inputs, case.stays_on_host).device_ops < 500


def test_tensors_that_are_not_those_of_the_plan_are_refused():
    q, k, v, _, lengths = inputs_of([4, 6, 3])
    with pytest.raises(PerfkitError, match="do not fit a plan"):
        block_diagonal_attention(q[:5], k, v, AttentionPlan(lengths))


def test_a_form_that_cannot_run_says_why():
    q, k, v, _, lengths = inputs_of([4, 6, 3])
    with pytest.raises(PerfkitError, match="needs CUDA"):
        block_diagonal_attention(q, k, v, AttentionPlan(lengths), form="varlen")
    with pytest.raises(PerfkitError, match="no form 'fastest'"):
        block_diagonal_attention(q, k, v, AttentionPlan(lengths), form="fastest")
