import torch

from perfkit.rewrites.pairwise_preference_loss import REWRITE


def test_the_measured_case_has_the_reported_sizes():
    scores, _, _, _, samples, tokens, *_ = REWRITE.case("reported scale").make(0)
    assert scores.shape == (39, 1521) and tokens == 2048
    assert len(set(samples)) == 13


def test_numbers_are_the_same_in_every_type():
    for case in REWRITE.cases:
        scores, _, _, losses, *_ = case.make(0)
        assert torch.equal(scores, scores.bfloat16().float())
        if torch.bfloat16 in case.dtypes:
            assert torch.equal(losses, losses.bfloat16().float())


def test_the_corners_are_what_they_are_called():
    lods = REWRITE.case("ragged").make(0)[2]
    assert (lods < 0).any() and (lods == 2).any()
    positions = REWRITE.case("shuffled entries").make(0)[1]
    assert (positions.diff(dim=1) < 0).any()
    losses = REWRITE.case("ties").make(0)[3]
    assert len(losses.unique()) < len(losses)
