import torch

from perfkit.rewrites.pairwise_preference_loss.drawn import context_width
from perfkit.workloads.lens.contexts import draw_samples
from perfkit.workloads.lens.model import LensNet, score_samples

from .sizes import SMALL


def test_scores_are_arranged_like_the_samples_and_bounded():
    torch.manual_seed(0)
    samples = draw_samples(SMALL, 0)
    scores = score_samples(LensNet(SMALL), samples)
    assert [len(sample) for sample in scores] == [len(sample) for sample in samples]
    assert all(s.shape == (context_width(SMALL),) for sample in scores for s in sample)
    assert all(s.abs().max() <= 1 for sample in scores for s in sample)


def test_a_context_is_scored_alone():
    torch.manual_seed(0)
    lens = LensNet(SMALL)
    samples = draw_samples(SMALL, 0)
    together = score_samples(lens, samples)
    alone = score_samples(lens, [[samples[1][2]]])
    torch.testing.assert_close(together[1][2], alone[0][0], rtol=1e-4, atol=1e-5)
