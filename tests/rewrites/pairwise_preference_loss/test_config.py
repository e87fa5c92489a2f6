from perfkit.rewrites.pairwise_preference_loss.config import Lods, LossConfig


def test_levels_span_powers_of_the_block():
    lods = Lods(block=32, top=2)
    assert [lods.span(lod) for lod in range(3)] == [1, 32, 1024]
    assert lods.parent(63, 0) == 1
    assert lods.parent(1056, 1) == 1


def test_the_reported_terms_are_no_extra_ones():
    assert not LossConfig().has_extra_terms
    for name in ("kl_weight", "coverage_weight", "smoothed_budget_weight"):
        assert LossConfig(**{name: 0.1}).has_extra_terms
