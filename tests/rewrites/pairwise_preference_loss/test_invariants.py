"""The batched and the analytic loss against the dictionary one, over random batches."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites._counting import count
from perfkit.rewrites._parity import evaluate, parity
from perfkit.rewrites._tree import fresh
from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites.pairwise_preference_loss.analytic import analytic
from perfkit.rewrites.pairwise_preference_loss.batched import batched
from perfkit.rewrites.pairwise_preference_loss.cases import (
    draw_contexts,
    packed_inputs,
    ragged,
    shuffled,
    tied,
)
from perfkit.rewrites.pairwise_preference_loss.config import Lods, LossConfig, Shape
from perfkit.rewrites.pairwise_preference_loss.drawn import Geometry

torch.set_num_threads(1)
fast = pytest.mark.parametrize("form", ["batched", "analytic"])

geometries = st.builds(
    lambda block, blocks, share, samples, variants: Geometry(
        tokens=block**2 * blocks,
        tail=block,
        share=share,
        deeper_chance=0.5,
        samples=samples,
        variants=variants,
        lods=Lods(block, 2),
    ),
    st.integers(2, 4),
    st.integers(2, 4),
    st.floats(0.7, 1.0),
    st.integers(1, 3),
    st.integers(0, 4),
)
configs = st.builds(
    LossConfig,
    shape=st.sampled_from(Shape),
    temperature=st.sampled_from([0.5, 1.0, 2.0]),
    collapse_weight=st.sampled_from([0.1, 0.3, 1.0]),
    max_pairs=st.integers(1, 8),
    pairs_kept=st.sampled_from([0.0, 0.4, 1.0]),
    rank_weight=st.sampled_from([0.0, 0.5]),
    budget_weight=st.sampled_from([0.0, 0.1]),
    coverage_weight=st.sampled_from([0.0, 0.2]),
)
changes = st.lists(st.sampled_from([ragged, shuffled, tied]), unique=True)


def batch(geometry, config, change, seed, spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    samples = draw_contexts(geometry, seed, spread)
    for changed in change:
        samples = changed(samples, generator)
    return packed_inputs(samples, seed, geometry.lods, config)


@fast
@settings(max_examples=60, deadline=None)
@given(geometries, configs, changes, st.integers(0, 99), st.sampled_from([0.2, 1.0, 20.0]))
def test_any_batch_gives_value_and_gradient_of_the_found_code(
    form, geometry, config, change, seed, spread
):
    inputs = batch(geometry, replace(config, telemetry=False), change, seed, spread)
    proof = parity(REWRITE, REWRITE.form(form), inputs, "drawn", torch.float64)
    assert proof.holds, proof


@fast
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)], ids=str
)
@settings(max_examples=30, deadline=None)
@given(geometries, configs, changes, st.integers(0, 99), st.sampled_from([0.2, 1.0, 20.0]))
def test_narrower_types_lose_no_more_than_their_rounding(
    form, dtype, tolerance, geometry, config, change, seed, spread
):
    """Gradients that cancel to almost nothing are rounding in any type, hence an absolute floor."""
    inputs = batch(geometry, replace(config, telemetry=False), change, seed, spread)
    exact, given_ = (
        evaluate(REWRITE.form(name), fresh(inputs, kind))
        for name, kind in (("slow_dict", torch.float64), (form, dtype))
    )
    right, slope = exact.gradients[0], given_.gradients[0]
    assert (right is None or not right.any()) or slope is not None
    assert abs(float(exact.output[0].detach() - given_.output[0].detach())) <= tolerance * max(
        1.0, float(exact.output[0].detach())
    )
    if right is not None:
        allowed = tolerance * max(0.02, float(right.abs().max()))
        assert float((slope.double() - right).abs().max()) <= allowed


@fast
def test_half_precision_scores_are_summed_in_single(form):
    inputs = REWRITE.case("reported scale").make(0)
    narrow = (inputs[0].detach().half().requires_grad_(), *inputs[1:])
    proof = parity(REWRITE, REWRITE.form(form), narrow, "reported scale", torch.float16)
    assert proof.holds and proof.value_error < 1e-5, proof


@pytest.mark.parametrize("form", [batched, analytic])
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 7.0])
def test_whatever_stands_in_the_padding_changes_nothing(form, garbage):
    geometry = Geometry(tokens=96, tail=16, samples=3, variants=3)
    inputs = batch(geometry, LossConfig(kl_weight=0.1, coverage_weight=0.1), [ragged], 0)
    padding = inputs[2] < 0
    assert padding.any()
    other = inputs[0].detach().masked_fill(padding, garbage).requires_grad_()
    expected, found = form(*inputs), form(other, *inputs[1:])
    assert torch.equal(found.loss, expected.loss)
    assert torch.equal(found.telemetry, expected.telemetry)
    right, given_ = (
        torch.autograd.grad(x.loss, s)[0] for x, s in ((expected, inputs[0]), (found, other))
    )
    assert torch.equal(right, given_) and not given_[padding].any()


def test_the_gradient_at_the_reported_scale_is_within_a_millionth_of_double_precision():
    inputs = REWRITE.case("reported scale").make(1)
    for name in ("analytic", "batched"):
        proof = parity(REWRITE, REWRITE.form(name), inputs, "reported", torch.float32)
        assert proof.holds and proof.gradient_error <= 1e-6, proof


def test_a_position_outside_the_tokens_raises_on_a_cpu():
    inputs = list(REWRITE.case("ragged").make(0))
    inputs[5] = 50
    with pytest.raises(RuntimeError):
        batched(*inputs)


def test_gradients_of_gradients_exist_only_in_the_batched_form():
    inputs = REWRITE.case("far apart").make(0)
    for form, possible in ((batched, True), (analytic, False)):
        first = torch.autograd.grad(form(*inputs).loss, inputs[0], create_graph=True)[0]
        assert first.requires_grad == possible


@pytest.mark.parametrize("form", ["analytic", "batched", "cached targets", "two stages", "proxy"])
@pytest.mark.parametrize("case", ["reported scale", "capped", "share of the others"])
def test_no_form_asks_the_device_anything(form, case):
    inputs = REWRITE.case(case).make(0)
    counts = count(REWRITE.form(form), inputs, backward=True)
    assert counts.syncs == 0
    if form in ("analytic", "batched") and case == "reported scale":
        assert counts.device_ops <= 190


def test_what_was_found_asks_hundreds_of_times():
    inputs = REWRITE.case("reported scale").make(0)
    assert count(REWRITE.form("slow_dict"), inputs, backward=True).syncs > 400
    assert count(REWRITE.form("pair_vec"), inputs, backward=True).device_ops > 3000
