import pytest

from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites.pairwise_preference_loss.analytic import analytic
from perfkit.rewrites.pairwise_preference_loss.two_stage import Stage, StaleContexts

SCORES, POSITIONS, LODS, LOSSES, SAMPLES, TOKENS, GEOMETRY, CONFIG = REWRITE.case("hinge").make(0)


def stage(max_age=None) -> Stage:
    made = Stage(GEOMETRY, CONFIG, max_age)
    made.put("batch", 10, POSITIONS, LODS, LOSSES, SAMPLES, TOKENS)
    return made


def test_stage_two_needs_only_scores():
    expected = analytic(SCORES, POSITIONS, LODS, LOSSES, SAMPLES, TOKENS, GEOMETRY, CONFIG).loss
    assert stage().loss("batch", 9999, SCORES).loss == expected


def test_old_batches_are_refused():
    assert stage(max_age=5).get("batch", 15).step == 10
    with pytest.raises(StaleContexts, match="6 steps old"):
        stage(max_age=5).loss("batch", 16, SCORES)
    with pytest.raises(KeyError):
        stage().get("other", 0)


def test_nothing_to_compare_is_not_stored():
    with pytest.raises(ValueError, match="nothing to compare"):
        Stage(GEOMETRY, CONFIG).put(0, 0, POSITIONS[:2], LODS[:2], LOSSES[:2], (0, 1), TOKENS)
