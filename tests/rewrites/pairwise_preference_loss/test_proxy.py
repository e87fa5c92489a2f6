from dataclasses import replace

import pytest
import torch

from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites.pairwise_preference_loss.analytic import analytic
from perfkit.rewrites.pairwise_preference_loss.config import Shape
from perfkit.rewrites.pairwise_preference_loss.proxy import agreement, proxy


def at(factor, case="small, every type", **changes):
    scores, *rest, config = REWRITE.case(case).make(0)
    bare = replace(config, rank_weight=0.0, budget_weight=0.0, **changes)
    small = (factor * scores.detach()).requires_grad_()
    return small, (small, *rest, bare)


def test_near_zero_it_is_the_preference_term():
    scores, inputs = at(1e-3)
    for form in (proxy, analytic):
        assert form(*inputs).loss.item() == pytest.approx(analytic(*inputs).loss.item(), rel=1e-6)
    slopes = [torch.autograd.grad(form(*inputs).loss, scores)[0] for form in (proxy, analytic)]
    torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-8)


def test_far_from_zero_it_is_not():
    _, inputs = at(20.0)
    assert proxy(*inputs).loss > 1.1 * analytic(*inputs).loss


def test_for_the_hinge_it_is_exact_up_to_the_margin():
    _, inputs = at(1e-3, shape=Shape.HINGE)
    assert proxy(*inputs).loss.item() == pytest.approx(analytic(*inputs).loss.item(), rel=1e-5)


def test_agreement_tells_opposite_and_missing_gradients():
    x = torch.tensor([1.0, 2.0])
    assert agreement(x, 3 * x) == pytest.approx(1.0)
    assert agreement(x, -x) == pytest.approx(-1.0)
    assert agreement(x, torch.zeros(2)) == 0.0
    assert agreement(torch.zeros(2), torch.zeros(2)) == 1.0
