import torch

from perfkit.rewrites.pairwise_preference_loss.history import ScoreHistory


def test_scores_are_remembered_for_exactly_one_step():
    history = ScoreHistory()
    scores = torch.tensor([0.5, -0.5], requires_grad=True)
    history.keep((0, 1), scores)
    assert history.previous == {}
    history.next_step()
    assert torch.equal(history.previous[0, 1], scores.detach())
    history.next_step()
    assert history.previous == {}


def test_what_is_kept_has_no_gradient_and_single_precision():
    history = ScoreHistory()
    history.keep((0, 0), torch.zeros(2, dtype=torch.bfloat16, requires_grad=True))
    assert not history.current[0, 0].requires_grad
    assert history.current[0, 0].dtype == torch.float32
