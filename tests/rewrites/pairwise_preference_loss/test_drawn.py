from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites.pairwise_preference_loss.config import Lods
from perfkit.rewrites.pairwise_preference_loss.drawn import (
    Geometry,
    collapse,
    collapsible,
    context_width,
    draw_entries,
    draw_variant,
)

from .inputs import SMALL

geometries = st.builds(
    lambda blocks, block, share, chance: Geometry(
        tokens=16 * block * blocks,
        tail=4 * block,
        share=share,
        deeper_chance=chance,
        lods=Lods(block=block, top=2),
    ),
    st.integers(1, 2),
    st.integers(2, 4),
    st.floats(0.6, 1.0),
    st.floats(0.0, 1.0),
)


@settings(max_examples=40, deadline=None)
@given(geometries, st.integers(0, 1000))
def test_a_variant_tiles_all_tokens_with_aligned_entries(config, seed):
    entries = draw_variant(config, np.random.default_rng(seed))
    covered = 0
    for position, lod in entries.items():
        assert position == covered
        assert position % config.lods.span(lod) == 0
        assert lod == 0 or position + config.lods.span(lod) <= config.tokens - config.tail
        covered += config.lods.span(lod)
    assert covered == config.tokens
    assert len(entries) == context_width(config)


def test_the_baseline_is_the_latest_tokens_at_full_detail():
    width = context_width(SMALL)
    baseline = draw_entries(SMALL, np.random.default_rng(0))[0]
    assert list(baseline) == list(range(SMALL.tokens - width, SMALL.tokens))
    assert set(baseline.values()) == {0}


def test_near_duplicates_are_dropped():
    few_choices = replace(SMALL, tokens=24, tail=16, variants=20, share=0.9, deeper_chance=0.0)
    kept = draw_entries(few_choices, np.random.default_rng(0))
    assert len(kept) == 3  # the baseline, and either of the two blocks before the tail
    assert len({tuple(entries.items()) for entries in kept}) == 3


def test_deeper_levels_occur():
    config = replace(SMALL, share=0.5)
    entries = [e for seed in range(9) for e in draw_entries(config, np.random.default_rng(seed))]
    assert {lod for one in entries for lod in one.values()} == {0, 1, 2}


def test_a_tail_that_leaves_nothing_to_collapse_is_refused():
    with pytest.raises(ValueError, match="tail"):
        draw_variant(replace(SMALL, tail=96), np.random.default_rng(0))


def test_only_whole_blocks_before_the_end_can_collapse():
    lods = Lods(block=4, top=2)
    entries = dict.fromkeys(range(20), 0)
    assert collapsible(entries, 0, 15, lods) == [0, 4, 8]
    for start in (0, 4, 8, 12):
        collapse(entries, start, 0, lods)
    assert collapsible(entries, 0, 20, lods) == [16]
    assert collapsible(entries, 1, 20, lods) == [0]
    collapse(entries, 0, 1, lods)
    assert entries == {0: 2, 16: 0, 17: 0, 18: 0, 19: 0}
