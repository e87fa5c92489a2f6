from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.rewrites.pairwise_preference_loss.config import LossConfig
from perfkit.rewrites.pairwise_preference_loss.pairs import choose_pairs, read_lookup

from .inputs import coarse

ALL = LossConfig(max_pairs=100)


def indices(losses, config=ALL):
    return [(pair.better, pair.worse) for pair in choose_pairs(losses, config)]


@pytest.mark.parametrize("losses", [[], [1.0]])
def test_fewer_than_two_contexts_make_no_pair(losses):
    assert choose_pairs(losses, ALL) == []


def test_pairs_with_the_best_come_first_and_each_kind_by_difference():
    assert indices([3.0, 1.0, 2.0, 7.0]) == [(1, 3), (1, 0), (1, 2), (2, 3), (0, 3), (2, 0)]


def test_the_cap_takes_others_only_after_those_with_the_best():
    losses = [3.0, 1.0, 2.0, 7.0]
    assert indices(losses, replace(ALL, max_pairs=2)) == [(1, 3), (1, 0)]
    assert indices(losses, replace(ALL, max_pairs=4)) == [(1, 3), (1, 0), (1, 2), (2, 3)]


def test_the_share_of_the_others_is_rounded_up_before_the_cap():
    losses = [3.0, 1.0, 2.0, 7.0]
    assert indices(losses, replace(ALL, pairs_kept=0.4)) == indices(losses)[:5]
    assert indices(losses, replace(ALL, pairs_kept=0.0)) == indices(losses)[:3]
    assert indices(losses, replace(ALL, pairs_kept=0.4, max_pairs=4)) == indices(losses)[:4]


def test_differences_far_below_single_precision_keep_their_order():
    losses = [1e6, 1e6 + 2e-9 * 1e6, 1e6 + 1e-9 * 1e6]
    assert indices(losses) == [(0, 1), (0, 2), (2, 1)]


@given(st.lists(st.floats(0, 10), max_size=6), st.integers(1, 12))
def test_every_pair_occurs_once_with_the_lower_loss_first(losses, cap):
    pairs = choose_pairs(losses, replace(ALL, max_pairs=cap))
    assert len(pairs) == min(cap, len(losses) * (len(losses) - 1) // 2)
    assert len({frozenset((p.better, p.worse)) for p in pairs}) == len(pairs)
    assert all(p.delta == losses[p.worse] - losses[p.better] >= 0 for p in pairs)


def test_the_lookup_gives_the_level_at_each_position():
    assert read_lookup(coarse(1.0, tokens=6)) == {0: 1, 4: 0, 5: 0}
