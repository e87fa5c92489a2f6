"""Stacked weights compute what the modules compute, and modules that do not fit are refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from perfkit.base.errors import PerfkitError
from perfkit.rewrites.moe_dispatch import moe_dispatch, stack_experts


def expert(width=8, inner=16, bias=True):
    return nn.Sequential(nn.Linear(width, inner, bias), nn.ReLU(), nn.Linear(inner, width, bias))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("form", ["", "sorted", "folded", "grouped"])
def test_stacked_experts_compute_what_the_modules_compute(form, bias):
    torch.manual_seed(0)
    modules = nn.ModuleList(expert(bias=bias) for _ in range(4))
    x, weights = torch.randn(6, 8), torch.rand(6, 2)
    chosen = torch.tensor([[0, 1], [2, 3], [3, 0], [1, 2], [2, 0], [0, 3]])
    wanted = torch.stack(
        [
            sum(weights[t, s] * modules[int(chosen[t, s])](x[t]) for s in range(2))
            for t in range(len(x))
        ]
    )
    torch.testing.assert_close(
        moe_dispatch(x, weights, chosen, stack_experts(modules), form=form), wanted
    )


def test_gradients_reach_the_modules():
    modules = nn.ModuleList(expert() for _ in range(2))
    x, weights = torch.randn(3, 8), torch.ones(3, 1)
    moe_dispatch(
        x, weights, torch.zeros(3, 1, dtype=torch.int64), stack_experts(modules)
    ).sum().backward()
    assert modules[0][2].weight.grad.any()
    assert not modules[1][2].weight.grad.any()


def test_the_folded_form_reads_the_stacked_weights_in_place():
    stacked = stack_experts(expert() for _ in range(3))
    folded = stacked.down.permute(1, 0, 2).flatten(1)
    assert folded.data_ptr() == stacked.down.data_ptr()


def test_no_experts_are_refused():
    with pytest.raises(PerfkitError, match="no experts"):
        stack_experts([])


def test_a_gated_expert_is_refused_with_its_number():
    with pytest.raises(PerfkitError, match="expert 1 holds 3 linear layers"):
        stack_experts([expert(), nn.Sequential(*(nn.Linear(8, 8) for _ in range(3)))])


def test_experts_of_unlike_shapes_are_refused():
    with pytest.raises(PerfkitError, match="differ in shape"):
        stack_experts([expert(), expert(inner=24)])
