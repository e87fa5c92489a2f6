"""AUC, PCOC and calibration on rows counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from perfkit.base.errors import PerfkitError
from perfkit.quality.scores import auc, calibration_error, pcoc, scores

NAN = float("nan")


@pytest.mark.parametrize("labels", [[], [NAN, NAN], [1, 1], [0, 0]])
def test_auc_without_both_labels_is_unknown_not_a_half(labels):
    assert scores(labels, [0.5] * len(labels)).auc is None


def test_pcoc_without_a_positive_is_unknown():
    assert scores([0, 0], [0.1, 0.2]).pcoc is None


@pytest.mark.parametrize("bad", [[0.5], [0.5, NAN], [0.5, 1.5]])
def test_what_is_no_prediction_for_each_row_is_refused(bad):
    with pytest.raises(PerfkitError):
        scores([0, 1], bad)


def test_rows_with_unknown_labels_are_left_out():
    assert scores([0, 1, NAN], [0.2, 0.8, 0.9]) == scores([0, 1], [0.2, 0.8])


def test_auc_counts_pairs_with_ties_as_halves():
    labels, predictions = np.array([0.0, 0, 1, 1]), np.array([0.1, 0.5, 0.5, 0.9])
    assert auc(labels, predictions) == pytest.approx(3.5 / 4)


def test_pcoc_is_predicted_over_observed():
    assert pcoc(np.array([0.0, 1]), np.array([0.6, 0.9])) == pytest.approx(1.5)


def test_a_calibrated_model_has_no_calibration_error_and_a_shifted_one_its_shift():
    predictions = np.repeat([0.25, 0.75], 4)
    labels = np.array([1.0, 0, 0, 0, 1, 1, 1, 0])
    assert calibration_error(labels, predictions) == pytest.approx(0.0)
    assert calibration_error(labels, predictions + 0.1) == pytest.approx(0.1)
