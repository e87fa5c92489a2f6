import torch

from perfkit.rewrites.pairwise_preference_loss.analytic import analytic
from perfkit.rewrites.pairwise_preference_loss.config import LossConfig
from perfkit.rewrites.pairwise_preference_loss.history import ScoreHistory
from perfkit.rewrites.pairwise_preference_loss.lists import Remembered, aligned, over_packed
from perfkit.rewrites.pairwise_preference_loss.packed import Memory

from .inputs import LODS, drawn, random_scores


def test_pairs_are_known_without_telemetry():
    samples = drawn()
    loss = over_packed(analytic)
    config = LossConfig(telemetry=False)
    result = loss(samples, random_scores(samples), LODS, config, ScoreHistory())
    assert result.pairs > 0 and result.telemetry == {}


def test_rows_follow_their_contexts_and_others_are_forgotten():
    memory = Memory(torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([0, 1]), torch.ones(2))
    past = Remembered({(0, 0): 2, (1, 0): 1}, memory)
    assert aligned(None, {(0, 0): 2}) is None
    assert aligned(past, {(0, 0): 2, (1, 0): 1}) is memory
    now = aligned(past, {(0, 1): 3, (1, 0): 1, (0, 0): 3})
    assert now.kept.tolist() == [False, True, False]
    assert now.scores[1].tolist() == [3.0, 0.0, 0.0]
