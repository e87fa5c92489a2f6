import torch

from perfkit.rewrites.pairwise_preference_loss.analytic import given_slope


def test_a_known_slope_is_scaled_by_what_comes_from_above():
    scores = torch.zeros(2, 3, requires_grad=True)
    slope = torch.arange(6.0).view(2, 3)
    (3 * given_slope(torch.tensor(5.0), scores, slope)).backward()
    assert torch.equal(scores.grad, 3 * slope)


def test_a_slope_in_half_precision_reaches_half_precision_scores():
    scores = torch.zeros(2, dtype=torch.bfloat16, requires_grad=True)
    given_slope(torch.tensor(1.0), scores, torch.ones(2, dtype=torch.bfloat16)).backward()
    assert scores.grad.dtype == torch.bfloat16
