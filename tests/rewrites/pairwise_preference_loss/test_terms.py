import math

import pytest
import torch

from perfkit.rewrites.pairwise_preference_loss.config import Lods, LossConfig, Shape
from perfkit.rewrites.pairwise_preference_loss.history import ScoreHistory
from perfkit.rewrites.pairwise_preference_loss.terms import (
    drift,
    finish,
    measure,
    preference,
    spans,
)


def test_no_pairs_make_a_zero_that_has_no_gradient():
    result = finish([], [], torch.device("cpu"))
    assert (result.loss.item(), result.loss.requires_grad, result.pairs) == (0, False, 0)


def test_loss_and_telemetry_are_means_over_the_pairs():
    rows = [{"agreement": 0.0}, {"agreement": 1.0}]
    result = finish([torch.tensor(1.0), torch.tensor(4.0)], rows, torch.device("cpu"))
    assert (result.loss.item(), result.pairs, result.telemetry) == (2.5, 2, {"agreement": 0.5})


def test_without_a_step_before_there_is_no_drift():
    history = ScoreHistory()
    assert drift(torch.ones(3), (0, 0), history) == 0
    history.previous[0, 0] = torch.ones(4)
    assert drift(torch.ones(3), (0, 0), history) == 0


def test_drift_is_the_divergence_between_the_two_distributions():
    history = ScoreHistory(previous={(0, 0): torch.tensor([0.0, math.log(3.0)])})
    expected = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert drift(torch.zeros(2), (0, 0), history).item() == pytest.approx(expected, abs=1e-6)


def test_a_right_score_costs_less_than_a_wrong_one():
    aligned = torch.tensor([-1.0, 0.0, 1.0])
    soft = preference(aligned, LossConfig())
    assert soft.tolist() == pytest.approx([math.log1p(math.exp(-x)) for x in (-1, 0, 1)])
    hinge = preference(aligned, LossConfig(shape=Shape.HINGE, margin=0.5))
    assert hinge.tolist() == [1.5, 0.5, 0.0]


def test_spans_take_the_type_of_the_scores():
    found = spans(torch.tensor([0, 1, 2]), Lods(block=32), torch.zeros(1, dtype=torch.float64))
    assert found.dtype == torch.float64
    assert found.tolist() == [1, 32, 1024]


def test_scores_without_spread_have_no_correlation():
    same = torch.full((3,), 0.5)
    assert measure(same, same, torch.tensor([1.0, -1.0, 1.0]))["correlation"] == 0
