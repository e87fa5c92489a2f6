"""Checkpointed blocks: refused choices, what stays, memory by budget, gradients, the reentrant trap."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

from perfkit.base.errors import PerfkitError
from perfkit.rewrites.checkpointed_block import (
    REWRITE,
    activation_bytes,
    blocks_within,
    checkpointed_block,
)


def network() -> nn.Sequential:
    """Each pair of a linear layer and a GELU keeps the linear layer's output, 4 * 5 * 8 bytes."""
    torch.manual_seed(0)
    pairs = [nn.Sequential(nn.Linear(5, 5), nn.GELU()) for _ in range(3)]
    return nn.Sequential(*pairs).double()


def kept_bytes(run) -> int:
    """Of all storages that a forward pass keeps for the backward pass."""
    seen = {}

    def pack(tensor):
        seen[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = run()
    del kept
    return sum(one.untyped_storage().nbytes() for one in seen.values())


def test_a_block_that_is_not_there_is_refused_with_what_there_is():
    with pytest.raises(PerfkitError, match=r"no block '7'[\s\S]*0\.1"):
        checkpointed_block(network(), ["7"])


def test_a_block_inside_another_is_refused():
    with pytest.raises(PerfkitError, match=r"0\.1 lies inside 0"):
        checkpointed_block(network(), ["0", "0.1"])


def test_keys_stay_and_the_way_back_leaves_no_trace():
    model = network()
    keys, x = list(model.state_dict()), torch.randn(4, 5).double()
    before = kept_bytes(lambda: model(x))
    with checkpointed_block(model, ["0", "1"]) as checkpoints:
        assert checkpoints.names == ("0", "1")
        assert list(model.state_dict()) == keys
        assert kept_bytes(lambda: model(x)) < before
    assert "forward" not in model[0].__dict__
    assert kept_bytes(lambda: model(x)) == before


def test_a_deep_copy_computes_with_its_own_weights():
    model = network()
    checkpointed_block(model, ["0"])
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert not twin(torch.ones(1, 5).double()).any()


def test_gradients_are_equal_to_the_last_bit():
    x, gradients = torch.randn(4, 5).double(), []
    for blocks in ([], ["0", "2"]):
        model = network()
        checkpointed_block(model, blocks)
        model(x).sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_activations_are_counted_without_parameters_inputs_and_outputs():
    model, x = network(), torch.randn(4, 5).double()
    sizes = activation_bytes(model, ["0", "1", "2"], lambda: model(x))
    assert sizes == {"0": 160, "1": 160, "2": 160}
    assert not model[0]._forward_hooks and not model[0]._forward_pre_hooks


def test_a_block_that_keeps_nothing_of_its_own_counts_zero():
    model, x = nn.Sequential(nn.Linear(5, 5), nn.Identity()), torch.randn(4, 5)
    assert activation_bytes(model, ["0", "1"], lambda: model(x)) == {"0": 0, "1": 0}


def test_the_largest_blocks_are_chosen_first_and_named_in_order():
    sizes = {"a": 1, "b": 5, "c": 9, "d": 2}
    assert blocks_within(17, sizes) == ()
    assert blocks_within(17 - 5 - 9 + 9, sizes) == ("b", "c")
    assert blocks_within(9, sizes) == ("a", "b", "c", "d")
    with pytest.raises(PerfkitError, match="largest block alone keeps 9"):
        blocks_within(8, sizes)
    assert blocks_within(0, {}) == ()


@given(
    sizes=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 9)), budget=st.integers(0, 50)
)
def test_what_is_chosen_fits_and_one_less_would_not(sizes, budget):
    try:
        chosen = blocks_within(budget, sizes)
    except PerfkitError:
        assert max(sizes.values()) > budget
        return
    kept = sum(size for name, size in sizes.items() if name not in chosen)
    assert kept + max((sizes[name] for name in chosen), default=0) <= budget
    if chosen:
        own = sorted(sizes[name] for name in chosen)
        at_work = own[-1] if len(own) > 1 else 0
        assert kept + own[0] + at_work > budget


def test_checkpointing_within_a_budget_frees_what_was_counted():
    model, x = network(), torch.randn(4, 5).double()
    before = kept_bytes(lambda: model(x))
    sizes = activation_bytes(model, ["0", "1", "2"], lambda: model(x))
    checkpointed_block(model, blocks_within(330, sizes))
    # a checkpoint keeps nothing through saved tensors; its inputs live in its own frame
    assert before - kept_bytes(lambda: model(x)) >= 160


def test_reentrant_checkpoints_lose_the_gradient_that_ours_keep():
    x = torch.randn(4, 5).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not checkpoint(network()[0], x, use_reentrant=True).requires_grad
    model = network()
    checkpointed_block(model, ["0"])
    assert model(x).requires_grad


def test_the_measured_case_keeps_a_fraction():
    weights, x, drop = REWRITE.case("eight blocks").make(0)
    found = kept_bytes(lambda: REWRITE.reference.run(weights, x, drop))
    every = kept_bytes(lambda: REWRITE.form("every block").run(weights, x, drop))
    assert every * 3 < found
