from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.workloads.lens.config import Config, Lods
from perfkit.workloads.lens.contexts import (
    collapse,
    collapsible,
    context_width,
    draw_entries,
    draw_samples,
    draw_variant,
    invented_loss,
)

from .inputs import SMALL, fine

geometries = st.builds(
    lambda blocks, block, share, chance: Config(
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
    lods = {int(lod) for s in draw_samples(config, 0) for c in s for lod in c.lods.unique()}
    assert lods == {0, 1, 2}


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


def test_contexts_are_rows_of_the_same_width_with_a_detached_loss():
    width = context_width(SMALL)
    for sample in draw_samples(SMALL, 0):
        for context in sample:
            assert context.positions.shape == context.lods.shape == (1, width)
            assert context.positions.dtype == context.lods.dtype == torch.int64
            assert context.embeddings.shape == (1, width, SMALL.embedding)
            assert not context.token_loss.requires_grad


def test_a_step_is_reproducible_and_steps_differ():
    first, again, other = (draw_samples(SMALL, step) for step in (4, 4, 5))
    assert torch.equal(first[0][1].lods, again[0][1].lods)
    assert torch.equal(first[0][1].token_loss, again[0][1].token_loss)
    assert not torch.equal(first[0][1].token_loss, other[0][1].token_loss)


def test_a_context_moves_as_a_whole():
    moved = fine().to(torch.device("meta"))
    assert all(getattr(moved, name).is_meta for name in moved.__dataclass_fields__)


def test_hiding_and_leaving_out_both_raise_the_token_loss():
    weights, levels = np.array([1.0, 2.0, 3.0]), np.array([0, 0, 0])
    assert invented_loss(weights, levels, 6.0) == 2.0
    assert invented_loss(weights, np.array([0, 1, 0]), 6.0) == pytest.approx(2 + 4 / 6)
    assert invented_loss(weights, np.array([0, 2, 0]), 6.0) == pytest.approx(2 + 4 * 4 / 18)
    assert invented_loss(weights[:2], levels[:2], 6.0) == pytest.approx(4.0)
