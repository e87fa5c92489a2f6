import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.workloads.ctr.metrics import auc, cti2026_score, logit_shift, neutral_score, pcoc

# few distinct predictions, so that ties are common
rows = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0])), max_size=30
)


def brute_force(labels, predictions):
    clicked = [p for p, y in zip(predictions, labels, strict=True) if y]
    passed = [p for p, y in zip(predictions, labels, strict=True) if not y]
    if not clicked or not passed:
        return None
    wins = sum((a > b) + 0.5 * (a == b) for a in clicked for b in passed)
    return wins / (len(clicked) * len(passed))


@given(rows)
def test_auc_is_the_share_of_pairs_ranked_rightly(drawn):
    labels, predictions = [y for y, _ in drawn], [p for _, p in drawn]
    expected = brute_force(labels, predictions)
    found = auc(labels, predictions)
    assert found is None if expected is None else found == pytest.approx(expected, abs=1e-12)


def test_auc_of_rows_that_all_tie_is_a_half():
    assert auc([1, 0, 0, 1], [0.3] * 4) == 0.5


@pytest.mark.parametrize("labels", [[], [1, 1], [0, 0]])
def test_auc_is_unknown_with_one_kind_of_row(labels):
    assert auc(labels, [0.5] * len(labels)) is None


def test_pcoc_compares_predicted_with_observed_clicks():
    assert pcoc([1, 0, 0, 1], [0.5, 0.2, 0.3, 0.5]) == pytest.approx(0.75)
    assert pcoc([0, 0], [0.1, 0.2]) is None


@pytest.mark.parametrize(
    ("seconds", "area", "ratio", "score"),
    [
        (229, 0.759, 1.110, 25.87),
        (9.63, 0.75548, 0.96852, 77.2),
        (300, 0.65, 1.0, 30 * 10 / 360),
        (0, 0.65, 1.0, 70 + 30 * 10 / 360),
        (300.1, 0.76, 1.0, 0),
        (10, 0.649, 1.0, 0),
        (150, 0.76, 1.151, 35),
        (150, 0.76, 0.849, 35),
    ],
)
def test_the_score_is_the_published_formula(seconds, area, ratio, score):
    assert cti2026_score(seconds, area, ratio) == pytest.approx(score, abs=0.02)


def test_quality_is_unknown_where_a_label_is():
    assert auc([1, 0, float("nan")], [0.5, 0.4, 0.1]) is None
    assert pcoc([1, 0, float("nan")], [0.5, 0.4, 0.1]) is None


def sigmoid(values):
    return 1 / (1 + np.exp(-np.asarray(values)))


@given(st.lists(st.floats(-15, 15), min_size=1, max_size=40), st.floats(0.001, 0.999))
def test_a_logit_shift_reaches_any_target_and_keeps_the_ranking(logits, target):
    shift = logit_shift(logits, target)
    shifted = np.asarray(logits) + shift
    assert sigmoid(shifted).mean() == pytest.approx(target, abs=1e-9)
    labels = [index % 2 for index in range(len(logits))]
    distinct = np.round(logits, 3)
    assert auc(labels, distinct) == auc(labels, distinct + shift)


def test_a_shift_of_calibrated_logits_is_none():
    logits = [-2.0, 0.5, 1.0]
    assert logit_shift(logits, float(sigmoid(logits).mean())) == pytest.approx(0, abs=1e-9)


def test_shifting_by_the_observed_rate_makes_pcoc_one():
    labels, logits = [1, 0, 0, 1, 0], np.array([2.0, 1.5, 3.0, 2.5, 0.1])
    assert pcoc(labels, sigmoid(logits)) > 1.5
    assert pcoc(labels, sigmoid(logits + logit_shift(logits, 0.4))) == pytest.approx(1)


@pytest.mark.parametrize(("logits", "target"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.0)])
def test_no_shift_reaches_a_rate_of_all_or_nothing(logits, target):
    with pytest.raises(ValueError, match="no shift"):
        logit_shift(logits, target)


def neutral(seconds=2.0, area=0.75, ratio=1.0):
    return neutral_score(seconds, area, ratio, reference_seconds=10.0, reference_auc=0.75)


@pytest.mark.parametrize(
    ("run", "broken"),
    [
        ({"area": 0.7498}, "AUC 0.00020 below"),
        ({"ratio": 1.021}, "PCOC 1.021"),
        ({"ratio": 0.979}, "PCOC 0.979"),
        ({"ratio": None}, "not known"),
        ({"area": None}, "not known"),
    ],
)
def test_the_neutral_score_is_nothing_where_a_constraint_is_broken(run, broken):
    judged = neutral(seconds=0.001, **run)
    assert judged.speedup == 0 and broken in judged.broken


def test_the_neutral_score_is_the_speedup_where_constraints_hold():
    assert neutral().speedup == pytest.approx(5) and neutral().broken == ""
    assert neutral(area=0.74995, ratio=0.981).speedup == pytest.approx(5)
