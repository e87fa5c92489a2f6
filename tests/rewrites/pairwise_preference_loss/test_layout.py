import pytest
import torch

from perfkit.rewrites.pairwise_preference_loss.config import LossConfig
from perfkit.rewrites.pairwise_preference_loss.layout import kept_places, layout

CPU = torch.device("cpu")


def test_samples_must_not_be_mixed():
    with pytest.raises(ValueError, match="follow each other"):
        layout((0, 1, 0), LossConfig(), CPU)


def test_an_empty_batch_has_no_pairs():
    assert layout((), LossConfig(), CPU).pairs == 0


def test_the_same_shape_gives_the_same_indices():
    assert layout((0, 0, 1), LossConfig(), CPU) is layout((0, 0, 1), LossConfig(), CPU)
    assert layout((0, 0, 1), LossConfig(), CPU) is not layout((0, 1, 1), LossConfig(), CPU)


def test_all_pairs_of_the_reported_scale_need_no_sorting():
    plan = layout(tuple(i for i in range(13) for _ in range(3)), LossConfig(), CPU)
    assert (plan.pairs, plan.every) == (39, True)


def test_the_primary_pairs_fill_the_cap_first():
    config = LossConfig(max_pairs=4, pairs_kept=0.5)
    assert kept_places(1, 5, config) == []
    assert kept_places(3, 5, config) == [0, 1, 4]
    assert kept_places(5, 5, config) == [0, 1, 2, 3]
