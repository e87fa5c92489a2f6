"""Islands: what is refused, what stays, the way back, casts at borders, and flipped experts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._counting import count
from perfkit.rewrites.mixed_precision_islands import (
    REWRITE,
    ROUTER,
    Border,
    RoutedNetwork,
    mixed_precision_islands,
)


def network() -> RoutedNetwork:
    torch.manual_seed(0)
    return RoutedNetwork(16, 8)


class Spy(nn.Module):
    """Notes the dtypes it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.seen: list[torch.dtype] = []

    def forward(self, x, *, scale=None):
        self.seen += [one.dtype for one in (x, scale) if one is not None]
        return x.to(self.weight.dtype) * self.weight


def test_a_pattern_that_names_nothing_is_refused_with_what_there_is():
    with pytest.raises(PerfkitError, match=r"rooter[\s\S]*experts\.0"):
        mixed_precision_islands(network(), keep=("rooter",))


def test_default_islands_need_not_all_be_there():
    assert mixed_precision_islands(nn.Linear(2, 2)).names == ()


def test_a_weight_shared_across_a_border_is_refused():
    model = network()
    model.head.weight = model.experts[0].weight
    with pytest.raises(PerfkitError, match="shares a weight with the island head"):
        mixed_precision_islands(model)


def test_gradients_in_the_old_precision_are_refused():
    model = network()
    model(torch.randn(3, 16)).sum().backward()
    with pytest.raises(PerfkitError, match="holds a gradient"):
        mixed_precision_islands(model)


def test_integers_and_keys_of_the_state_stay():
    model = nn.Sequential(nn.Embedding(4, 2), nn.Linear(2, 2), nn.BatchNorm1d(2))
    keys = list(model.state_dict())
    mixed_precision_islands(model)
    assert list(model.state_dict()) == keys
    assert model[2].num_batches_tracked.dtype == torch.int64
    assert model[2].weight.dtype == torch.float32
    assert model[1].weight.dtype == torch.bfloat16
    assert model(torch.tensor([1, 3])).dtype == torch.float32


def test_undoing_restores_every_bit_and_every_result():
    model, x = network(), torch.randn(5, 16)
    before, expected = {k: v.clone() for k, v in model.state_dict().items()}, model(x)
    with mixed_precision_islands(model):
        assert not torch.equal(model(x), expected)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model(x), expected)


def test_undoing_keeps_what_was_trained_in_between():
    model = nn.Linear(2, 2, bias=False)
    with mixed_precision_islands(model), torch.no_grad():
        model.weight.fill_(0.5)
    assert model.weight.dtype == torch.float32
    assert model.weight.tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_an_island_sees_float32_and_the_rest_half_precision_keyword_arguments_too():
    model = nn.ModuleDict({"inner": Spy(), "gate": Spy()})
    mixed_precision_islands(model, torch.float16, border=Border.NARROW)
    one = torch.ones(2, dtype=torch.float64)
    inner = model["inner"](one, scale=one)
    gate = model["gate"](inner, scale=one)
    assert model["inner"].seen == [torch.float16] * 2
    assert model["gate"].seen == [torch.float32] * 2
    assert (inner.dtype, gate.dtype) == (torch.float16, torch.float16)


def test_a_wide_border_leaves_results_of_islands_in_float32():
    model = nn.ModuleDict({"gate": Spy()})
    mixed_precision_islands(model)
    assert model["gate"](torch.ones(2, dtype=torch.bfloat16)).dtype == torch.float32


def test_nested_matches_make_one_island():
    islands = mixed_precision_islands(network(), keep=("router", nn.LayerNorm))
    assert islands.names == ("router", "norm")


def test_it_trains():
    model = network()
    mixed_precision_islands(model)
    model(torch.randn(9, 16)).sum().backward()
    assert model.router[1].weight.grad.dtype == torch.float32
    assert model.experts[0].weight.grad.dtype == torch.bfloat16


def flipped(keep: tuple[object, ...], border: Border = Border.WIDE) -> int:
    """Tokens of 4000 whose two experts are others than in float32."""
    torch.manual_seed(0)
    model, x = RoutedNetwork(64, 8), torch.randn(4000, 64)
    expected = model.router(x).topk(2).indices.sort(1).values
    mixed_precision_islands(model, torch.bfloat16, keep, border)
    return int((model.router(x).topk(2).indices.sort(1).values != expected).any(1).sum())


@pytest.mark.parametrize(
    ("keep", "border"),
    [
        (("norm", "head"), Border.WIDE),  # the gate itself rounds
        (("router.1", "norm", "head"), Border.WIDE),  # the gate sees what was rounded before it
        (ROUTER, Border.NARROW),  # what it gives is rounded before the choice
    ],
)
def test_anything_low_precision_around_the_gate_picks_other_experts(keep, border):
    assert flipped(keep, border) > 4


def test_the_router_as_a_wide_island_chooses_as_in_float32():
    assert flipped(ROUTER) == 0


def test_quality_tells_a_flipped_expert_from_rounding():
    inputs = REWRITE.case("2000 tokens").make(0)
    right = REWRITE.reference.run(*inputs)
    form, trap = REWRITE.forms[0], REWRITE.traps[0]
    assert form.quality(inputs, right, form.run(*inputs)).holds
    assert not form.quality(inputs, right, trap.run(*inputs)).holds


@pytest.mark.parametrize("form", REWRITE.forms, ids=lambda form: form.name)
def test_no_form_waits(form):
    assert count(form, REWRITE.case("30 tokens").make(0)).syncs == 0
