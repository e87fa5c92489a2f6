"""MoE forms: Hypothesis over shapes, repeated experts and dtypes; what was found waits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.rewrites import _parity, _tree
from perfkit.rewrites._counting import count
from perfkit.rewrites.moe_dispatch import REWRITE, moe_dispatch
from perfkit.rewrites.moe_dispatch._cases import drawn, weights_of

EXACT = [form for form in REWRITE.forms if form.exact]
every_form = pytest.mark.parametrize("form", EXACT, ids=lambda form: form.name)


@st.composite
def routed(draw):
    """Inputs: any number of tokens, top 1 to E, repeated experts, one that takes all."""
    tokens, experts = draw(st.integers(0, 6)), draw(st.integers(1, 5))
    top = draw(st.integers(1, experts))
    numbers = st.integers(0, experts - 1)
    if draw(st.booleans()):
        numbers = st.just(draw(numbers))
    row = st.lists(numbers, min_size=top, max_size=top)
    chosen = draw(st.lists(row, min_size=tokens, max_size=tokens))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9)))
    weights = torch.rand(tokens, top, generator=generator).requires_grad_()
    x = torch.randn(tokens, 8, generator=generator).requires_grad_()
    stacked = _tree.mapped(
        lambda tensor: tensor.requires_grad_(), weights_of(experts, 8, 16, generator)
    )
    numbers_of = torch.tensor(chosen, dtype=torch.int64).view(tokens, top)
    activation = torch.nn.functional.silu  # the slope of a ReLU at zero is a matter of rounding
    return x, weights, numbers_of, stacked, activation


@every_form
@settings(deadline=None, max_examples=25)
@given(inputs=routed())
def test_any_routing_gives_the_sum_of_the_found_code(form, inputs):
    exact = torch.float64
    if form.unavailable(*_tree.fresh(inputs, exact)) is None:
        proof = _parity.parity(REWRITE, form, inputs, "routed", exact)
        assert proof.holds, proof


@every_form
@pytest.mark.parametrize(
    ("dtype", "error"), [(torch.float32, 1e-4), (torch.bfloat16, 0.2)], ids=["float32", "bfloat16"]
)
@settings(deadline=None, max_examples=15)
@given(inputs=routed())
def test_any_routing_is_close_in_the_precision_of_the_tokens(form, dtype, error, inputs):
    wanted = REWRITE.reference.run(*_tree.fresh(inputs, torch.float64))
    output = form.run(*_tree.fresh(inputs, dtype))
    assert output.dtype == dtype
    torch.testing.assert_close(output.double(), wanted, rtol=error, atol=error)


@every_form
def test_weights_of_a_float32_gate_are_taken_beside_bfloat16_tokens(form):
    x, weights, chosen, experts = drawn(4, 6, width=8, inner=16).make(0)
    wanted = REWRITE.reference.run(x, weights, chosen, experts)
    x, experts = _tree.fresh((x, experts), torch.bfloat16)
    given_out = form.run(x, weights, chosen, experts)
    assert given_out.dtype == torch.bfloat16
    torch.testing.assert_close(given_out.float(), wanted, rtol=0.05, atol=0.05)


def test_waits_are_counted_per_form():
    inputs = REWRITE.case("8 experts, 64 tokens").make(0)
    waits = {form.name: count(form, inputs).syncs for form in (REWRITE.reference, *EXACT)}
    assert waits == {
        "found": 16,
        "as chosen": 0,
        "loop": 8,
        "sorted": 1,
        "sliced": 1,
        "grouped": 2,  # float32: each product reads its sizes itself
        "folded": 0,
        "batched": 0,
    }


def test_the_gradient_of_stacked_weights_is_not_made_once_per_expert():
    inputs = drawn(8, 4, width=8, inner=16).make(0)
    output = REWRITE.form("sorted").run(*inputs)
    names, open_nodes = set(), [output.grad_fn]
    while open_nodes:
        node = open_nodes.pop()
        if node is not None:
            names.add(node.name())
            open_nodes.extend(parent for parent, _ in node.next_functions)
    assert "UnbindBackward0" in names
    assert "SelectBackward0" not in names


def test_a_form_may_be_named_and_an_unknown_one_is_refused():
    inputs = drawn(4, 6, width=8, inner=16).make(0)
    torch.testing.assert_close(moe_dispatch(*inputs, form="loop"), moe_dispatch(*inputs))
    with pytest.raises(PerfkitError, match="no form 'quick'"):
        moe_dispatch(*inputs, form="quick")


@pytest.mark.gpu
@every_form
def test_forms_agree_on_a_gpu(form):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    inputs = drawn(8, 64).make(0)
    if form.unavailable(*inputs) is not None:
        pytest.skip(form.unavailable(*inputs))
    device = torch.device("cuda")
    for dtype in (torch.float32, torch.bfloat16):
        proof = _parity.parity(REWRITE, form, inputs, "gpu", dtype, device)
        assert proof.value_error < (1e-4 if dtype == torch.float32 else 5e-2), proof
