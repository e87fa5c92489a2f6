import torch

from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites.pairwise_preference_loss.batched import accumulating, batched, spans_of_levels
from perfkit.rewrites.pairwise_preference_loss.config import Lods, LossConfig


def test_nothing_narrower_than_single_precision_is_summed_in():
    kinds = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    found = [accumulating(torch.zeros(1, dtype=kind)) for kind in kinds]
    assert found == [torch.float64, torch.float32, torch.float32, torch.float32]


def test_spans_of_levels_are_powers_of_the_block():
    assert spans_of_levels(Lods(3, 2), torch.zeros(1)).tolist() == [1.0, 3.0, 9.0]


def test_what_is_switched_off_is_not_made():
    *inputs, _ = REWRITE.case("ragged").make(0)
    bare = batched(*inputs, LossConfig(telemetry=False, keep_scores=False))
    assert (bare.telemetry, bare.memory) == (None, None)
    assert bare.pairs == batched(*inputs, LossConfig()).telemetry[0] > 0


def test_the_memory_names_the_worse_contexts_of_counted_pairs():
    inputs = REWRITE.case("ties").make(0)
    given = batched(*inputs)
    assert given.memory.kept.any() and not given.memory.kept.all()
    assert not given.memory.scores.requires_grad


def test_the_smoothed_budget_moves_towards_the_present():
    case = REWRITE.case("every term").make(0)
    now = batched(*case[:-1]).memory.budget
    before = case[-1].budget
    after = batched(*case).memory.budget
    torch.testing.assert_close(after, 0.9 * before + 0.1 * now)
