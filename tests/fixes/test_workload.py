"""The experts of the ranking network, as found and as fixed, give the same forward and gradients."""

from __future__ import annotations

import sys
import types
from importlib import resources

import torch

from perfkit.fixes._apply import fixed
from perfkit.fixes._codemod import fixes
from perfkit.workloads.ctr import model
from perfkit.workloads.ctr.config import Config


def test_the_loop_over_experts_becomes_one_call_with_equal_results() -> None:
    torch.set_num_threads(1)
    data = resources.files("perfkit.workloads.ctr").joinpath("model.py").read_bytes()
    outcome = fixed(data, {"expert_loop": fixes()["expert_loop"]}, unsafe=True)
    assert [note.fix for note in outcome.changed] == ["expert_loop"]
    assert b"out = moe_dispatch(x, weights, chosen, stack_experts(self.experts))" in outcome.after

    name = "perfkit.workloads.ctr._fixed_model"
    after = types.ModuleType(name)
    after.__package__ = "perfkit.workloads.ctr"
    sys.modules[name] = after
    try:
        exec(compile(outcome.after, "model.py", "exec"), after.__dict__)
        config = Config()
        found, new = model.SparseMoE(config), after.SparseMoE(config)
        new.load_state_dict(found.state_dict())
        x = torch.randn(40, config.width, generator=torch.Generator().manual_seed(1))
        gradients = []
        for network in (found, new):
            own = x.clone().requires_grad_()
            network(own).square().sum().backward()
            gradients.append(
                (own.grad, network.gate.weight.grad, network.experts[0].up.weight.grad)
            )
        torch.testing.assert_close(new(x), found(x))
        torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-5)
    finally:
        del sys.modules[name]


def test_the_lookups_per_slot_are_pointed_out() -> None:
    data = resources.files("perfkit.workloads.ctr").joinpath("model.py").read_bytes()
    (note,) = fixed(data, {"slot_loop": fixes()["slot_loop"]}).advice
    assert (
        data.decode().splitlines()[note.line - 1].strip().startswith("for values, offsets in slots")
    )
    assert "fused_embedding(self.table.weight, bags)" in note.text


def test_the_loop_over_pairs_is_pointed_out() -> None:
    folder = resources.files("perfkit.rewrites.pairwise_preference_loss")
    data = folder.joinpath("slow_dict.py").read_bytes()
    (note,) = fixed(data, {"pair_loop": fixes()["pair_loop"]}).advice
    assert data.decode().splitlines()[note.line - 1].strip().startswith("for pair in choose_pairs(")
