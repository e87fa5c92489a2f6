import torch

from perfkit.rewrites.pairwise_preference_loss.config import LossConfig
from perfkit.rewrites.pairwise_preference_loss.slow_elem import rank_term, write_targets

from .inputs import LODS, coarse, fine

WEIGHTED = LossConfig(collapse_weight=0.25)


def test_no_difference_in_loss_writes_nothing():
    targets = write_targets({0: 1}, fine(), 0.0, LODS, WEIGHTED)
    assert not targets.mask.any() and not targets.value.any()


def test_expanding_is_written_with_weight_one_at_one_place():
    targets = write_targets({0: 0}, coarse(1.0), 0.5, LODS, WEIGHTED)
    assert targets.value.tolist() == [0.5] + [0.0] * 12
    assert targets.weight.tolist() == [1.0] * 13


def test_collapsing_is_written_with_its_weight_over_the_block():
    targets = write_targets({4: 1}, fine(), 0.5, LODS, WEIGHTED)
    assert targets.mask.nonzero().flatten().tolist() == [4, 5, 6, 7]
    assert targets.value[4:8].tolist() == [-0.5] * 4
    assert targets.weight[3:9].tolist() == [1.0, 0.25, 0.25, 0.25, 0.25, 1.0]


def test_targets_of_one_kind_are_not_ranked():
    scores = torch.tensor([0.1, -0.9])
    assert rank_term(scores, torch.tensor([1.0, 1.0]), LossConfig()) == 0
    assert rank_term(scores, torch.tensor([-1.0, 1.0]), LossConfig()) > 1


def test_the_tokens_of_every_entry_are_written():
    targets = write_targets({0: 0}, coarse(1.0), 0.5, LODS, WEIGHTED)
    assert targets.span.tolist() == [4.0] + [1.0] * 12
