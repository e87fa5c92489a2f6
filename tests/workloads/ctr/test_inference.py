from dataclasses import replace

import pytest
import torch

from perfkit.workloads.ctr.data import make_loader
from perfkit.workloads.ctr.inference import predict
from perfkit.workloads.ctr.metrics import auc, pcoc

from .inputs import SMALL, batch_of, model_of, users_of

CPU = torch.device("cpu")


def test_without_test_rows_nothing_is_predicted():
    config = replace(SMALL, test_users=0.0)
    result = predict(model_of(config), make_loader(config), CPU)
    assert result.logids == result.labels == result.probabilities == []
    assert result.batches == config.batches
    assert result.rows > 0


def test_a_batch_of_users_without_rows_passes():
    result = predict(model_of(SMALL), [batch_of([[], []])], CPU)
    assert (result.batches, result.rows, result.probabilities) == (1, 0, [])


def test_test_rows_are_predicted_in_order_with_their_labels():
    config = replace(SMALL, test_users=0.5)
    result = predict(model_of(config), make_loader(config), CPU)
    asked = [row for user in users_of(config) for row in user if row.is_test]
    assert result.logids == [row.logid for row in asked]
    assert result.labels == [row.label for row in asked]
    assert all(0 < p < 1 for p in result.probabilities)


def test_how_users_are_batched_does_not_matter():
    config = replace(SMALL, test_users=0.5)
    model = model_of(config)
    found = predict(model, make_loader(config), CPU)
    other = predict(model, make_loader(replace(config, users=6, batches=2)), CPU)
    assert found.logids == other.logids
    assert found.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_planted_weights_rank_and_calibrate():
    config = replace(SMALL, test_users=1.0, users=8, batches=30)
    result = predict(model_of(config), make_loader(config), CPU)
    area, ratio = (
        auc(result.labels, result.probabilities),
        pcoc(result.labels, result.probabilities),
    )
    assert area is not None and area > 0.7
    assert ratio == pytest.approx(1.0, abs=0.15)


def test_the_contests_timer_sees_part_of_the_time():
    result = predict(model_of(SMALL), make_loader(SMALL), CPU)
    assert 0 < result.timer_s <= result.total_s
