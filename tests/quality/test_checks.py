"""Behavioural tests of models made to pass and to fail them."""

from __future__ import annotations

import numpy as np
import pytest

from perfkit.base.errors import PerfkitError
from perfkit.quality.checks import expectation, invariance, perturbation

TABLE = {"price": np.linspace(1, 2, 50), "logid": np.arange(50), "clicks": np.arange(50) % 7}


def model(table):
    return 1 / (1 + np.exp(table["price"] - 0.1 * table["clicks"]))


def test_a_model_that_ignores_a_feature_is_invariant_to_it():
    found = invariance(model, TABLE, "logid")
    assert (found.holds, found.worst, found.row) == (True, 0.0, None)


def test_a_feature_that_matters_breaks_invariance():
    assert not invariance(model, TABLE, "price").holds


def test_small_noise_moves_a_smooth_model_little_and_a_cliff_far():
    assert perturbation(model, TABLE, "price").holds
    cliff = perturbation(
        lambda t: (t["price"] > np.median(TABLE["price"])) * 1.0, TABLE, "price", 0.1
    )
    assert not cliff.holds
    assert 0 < cliff.broken < 50


def test_expectations_hold_in_one_direction_only():
    assert expectation(model, TABLE, "clicks", 1).holds
    assert expectation(model, TABLE, "price", -0.5).holds
    broken = expectation(model, TABLE, "price", 0.5)
    assert broken.broken == 50
    assert "broken in 50 of 50 rows" in broken.text()


def test_a_result_that_is_no_number_breaks_every_check():
    def failing(table):
        return np.full(50, np.nan)

    assert not invariance(failing, TABLE, "logid").holds
    assert not expectation(failing, TABLE, "clicks", 1).holds


def test_no_rows_prove_nothing():
    empty = {"price": np.zeros(0)}
    found = invariance(lambda t: t["price"], empty, "price")
    assert not found.holds
    assert "nothing was tested" in found.text()


def test_unknown_features_and_steps_that_change_nothing_are_refused():
    with pytest.raises(PerfkitError, match="there are: price, logid, clicks"):
        invariance(model, TABLE, "colour")
    with pytest.raises(PerfkitError, match="changes no int64"):
        expectation(model, TABLE, "clicks", 0.3)
