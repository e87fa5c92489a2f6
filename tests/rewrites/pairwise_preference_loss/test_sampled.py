import pytest
import torch

from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites.pairwise_preference_loss.analytic import analytic
from perfkit.rewrites.pairwise_preference_loss.sampled import Sampling, choose_some, sampled

LOSSES = torch.tensor([3.0, 1.0, 2.0, 5.0, 9.0, 8.0])


def pairs(keep, how, generator=None):
    chosen = choose_some(LOSSES, (4, 2), keep, how, generator)
    assert torch.equal(LOSSES[chosen.worse] - LOSSES[chosen.better], chosen.delta.float())
    return list(zip(chosen.better.tolist(), chosen.worse.tolist(), strict=True))


def test_the_top_pairs_are_those_with_the_best():
    assert sorted(pairs(1, Sampling.TOP)) == [(1, 0), (1, 2), (1, 3), (5, 4)]


@pytest.mark.parametrize("how", Sampling)
def test_keeping_all_keeps_every_pair_once(how):
    found = pairs(9, how)
    assert len(found) == len(set(found)) == 7


def test_random_pairs_have_no_favourite():
    generator = torch.Generator().manual_seed(0)
    seen = {pair for _ in range(40) for pair in pairs(1, Sampling.RANDOM, generator)}
    assert len(seen) == 7
    assert all(len(set(drawn)) == 6 for drawn in [pairs(2, Sampling.RANDOM, generator)])


def test_all_pairs_are_the_loss_itself():
    inputs = REWRITE.case("hinge").make(0)
    torch.testing.assert_close(sampled(*inputs, keep=9).loss, analytic(*inputs).loss)


def test_no_pairs_at_all_are_refused_or_nothing():
    with pytest.raises(ValueError, match="at least one"):
        sampled(*REWRITE.case("hinge").make(0), keep=0)
    assert sampled(*REWRITE.case("one context").make(0)).loss == 0
