from dataclasses import replace

import pytest
import torch

from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites.pairwise_preference_loss.analytic import of_targets
from perfkit.rewrites.pairwise_preference_loss.cached import TargetCache, join
from perfkit.rewrites.pairwise_preference_loss.layout import layout
from perfkit.rewrites.pairwise_preference_loss.targets import Targets, make_targets


def arguments(case="share of the others"):
    return REWRITE.case(case).make(0)[1:]


def whole(positions, lods, losses, samples, tokens, geometry, config) -> Targets:
    plan = layout(samples, config, positions.device)
    return make_targets(positions, lods, losses, tokens, plan, geometry, config, torch.float32)


def same(one: Targets, other: Targets, geometry, config):
    """Pairs may stand in another order; what they ask for together may not differ."""
    torch.manual_seed(0)
    scores = torch.tanh(torch.randn(one.padding.shape)).requires_grad_()
    assert one.counted == other.counted > 0
    given = [of_targets(scores, targets, geometry, config) for targets in (one, other)]
    torch.testing.assert_close(given[0].loss, given[1].loss)
    slopes = [torch.autograd.grad(each.loss, scores)[0] for each in given]
    assert slopes[0].any()
    torch.testing.assert_close(*slopes)


def test_targets_from_samples_alone_are_those_of_the_batch():
    given = arguments()
    same(TargetCache().targets(["a", "b", "c"], *given), whole(*given), *given[-2:])


def test_samples_are_made_once_and_join_in_any_batch():
    cache, given = TargetCache(), arguments("hinge")
    cache.targets(["a", "b", "c"], *given)
    positions, lods, losses, samples, *rest = given
    order = torch.tensor([i for s in (2, 0) for i, t in enumerate(samples) if t == s])
    turned = tuple(0 if samples[i] == 2 else 1 for i in order)
    again = (positions[order], lods[order], losses[order], turned, *rest)
    same(cache.targets(["c", "a"], *again), whole(*again), *given[-2:])
    assert cache.made == 3


def test_what_was_not_used_for_longest_leaves_first():
    cache, given = TargetCache(capacity=3), arguments("hinge")
    cache.targets(["a", "b", "c"], *given)
    cache.targets(["a", "b", "d"], *given)
    assert cache.made == 4
    cache.targets(["a", "b", "c"], *given)
    assert cache.made == 4  # the joined batch was still there
    cache.targets(["b", "a", "c"], *given)
    assert cache.made == 5


def test_every_sample_needs_a_key():
    with pytest.raises(ValueError, match="2 keys for 3 samples"):
        TargetCache().targets(["a", "b"], *arguments())


def test_nothing_counted_joins_to_nothing():
    made = whole(*arguments("all tied"))
    joined = join([made, replace(made)])
    assert joined.counted == 0 and not joined.share.any()
