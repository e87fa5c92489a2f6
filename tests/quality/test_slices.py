"""The gate: silent where nothing is lost, honest about bfloat16, loud where slices and total disagree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from perfkit.base.errors import PerfkitError
from perfkit.quality.scores import Scores
from perfkit.quality.slices import Limits, Row, compare
from perfkit.workloads.ctr.config import CONFIGS
from perfkit.workloads.ctr.running import run


def rows(count, seed=0):
    """Labels drawn from their own probabilities."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.05, 0.95, count)
    return (rng.uniform(size=count) < truth).astype(float), truth


def test_the_same_predictions_hold_without_a_warning():
    labels, predictions = rows(1000)
    found = compare(labels, predictions, predictions, {"half": np.arange(1000) % 2})
    assert found.holds
    assert found.warnings == ()
    assert [row.name for row in found.rows] == ["all", "half=0", "half=1"]


def test_slices_with_few_rows_are_listed_not_judged():
    labels, predictions = rows(1000)
    worse = predictions.copy()
    worse[:20] = predictions[:20][::-1]
    found = compare(labels, predictions, worse, {"part": np.arange(1000) < 20}, Limits(auc=1))
    assert not any("part=True" in failure for failure in found.failures)
    assert any("not judged: part=True" in warning for warning in found.warnings)


def test_unknown_labels_judge_nothing_and_say_so():
    nothing = [float("nan")] * 3
    found = compare(nothing, [0.5] * 3, [0.1] * 3)
    assert len(found.warnings) == 3
    assert "nothing is known of it" in found.warnings[0]


def test_a_slice_column_of_another_length_is_refused():
    with pytest.raises(PerfkitError, match="'day' has 2 values for 3 rows"):
        compare([0, 1, 0], [0.5] * 3, [0.5] * 3, {"day": [1, 2]})


def test_each_metric_fails_by_its_own_limit():
    labels, predictions = rows(4000)
    shifted = np.clip(predictions * 1.2, 0, 1)
    told = compare(labels, predictions, shifted).failures
    assert any("pcoc" in text for text in told)
    assert any("ece" in text for text in told)
    shuffled = np.random.default_rng(1).permutation(predictions)
    assert any(
        text.startswith("all: auc") for text in compare(labels, predictions, shuffled).failures
    )


def test_a_gain_overall_that_is_a_loss_in_each_slice_is_told():
    """Each slice is ranked worse after, and the two are told apart better."""
    labels = np.tile([0.0, 0, 0, 1], 100)
    labels = np.concatenate([labels, 1 - labels])
    group = np.repeat([0, 1], 400)
    before = np.tile([0.6, 0.7, 0.8, 0.9], 200)  # right inside each slice, and the slices wrong
    before[400:] = np.tile([0.2, 0.3, 0.4, 0.1], 100)
    after = 0.25 + 0.5 * group + np.random.default_rng(0).uniform(0, 0.01, 800)
    found = compare(labels, before, after, {"group": group})
    assert found.rows[0].worse("auc") < 0 < min(row.worse("auc") for row in found.rows[1:])
    assert any("auc is better overall but worse in 2 of 2 slices" in w for w in found.warnings)


def test_worse_is_negative_for_better():
    row = Row("all", Scores(9, 0.7, 1.2, 0.1), Scores(9, 0.8, 0.9, 0.05))
    assert row.worse("auc") == pytest.approx(-0.1)
    assert row.worse("pcoc") == pytest.approx(-0.1)
    assert row.worse("ece") == pytest.approx(-0.05)


@pytest.fixture(scope="module")
def ctr():
    """`ctr(**settings)`: labels and probabilities of the ranking workload, in its fast exact forms."""
    torch.set_num_threads(1)
    config = replace(
        CONFIGS["laptop"], layers=2, experts=4, users=8, batches=12, max_rows=40, vocab=2000,
        test_users=1.0, out_of_range=0.3, signal=1.5, moe="sorted", embedding="fused",
    )  # fmt: skip

    def predicted(**settings):
        result = run(replace(config, **settings))
        return result.labels, result.probabilities

    return predicted


def test_bfloat16_of_the_ctr_workload_is_judged_by_what_it_loses(ctr):
    labels, before = ctr()
    _, after = ctr(precision="bfloat16")
    assert np.abs(after - before).max() > 0
    found = compare(labels, before, after, {"part": np.arange(labels.size) % 2})
    whole = found.rows[0]
    limits = Limits()
    lost = [whole.worse(m) > getattr(limits, m) for m in ("auc", "pcoc", "ece")]
    assert any(text.startswith("all:") for text in found.failures) == any(lost)
    assert abs(whole.worse("auc")) < 0.01  # and it is close: not noise that is gated


def test_other_ids_for_those_beyond_the_table_fail_the_gate(ctr):
    labels, before = ctr()
    _, after = ctr(id_policy="modulo")
    assert not compare(labels, before, after).holds
