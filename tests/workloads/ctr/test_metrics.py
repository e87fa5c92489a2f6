import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.workloads.ctr.metrics import auc, cti2026_score, pcoc

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
