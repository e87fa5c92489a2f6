"""The plan of a batch: what it refuses, counts of queries, the mask, buckets cut at least cost."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.pretend import pretend_cuda
from perfkit.rewrites.block_diagonal_attention import _buckets
from perfkit.rewrites.block_diagonal_attention.plan import AttentionPlan


@pytest.mark.parametrize(
    "rows", [(3, 1), (1, 1), (-1,), (9,)], ids=["unsorted", "repeated", "negative", "too large"]
)
def test_rows_that_make_no_sense_are_refused(rows):
    with pytest.raises(PerfkitError, match="must ascend within 0 to 8"):
        AttentionPlan([4, 5], rows)


def test_negative_lengths_are_refused():
    with pytest.raises(PerfkitError, match="negative length"):
        AttentionPlan([4, -1])


def test_lengths_on_a_device_are_refused_and_offsets_are_read_on_request():
    with pretend_cuda():
        with pytest.raises(PerfkitError, match="keep a copy on the host"):
            AttentionPlan(torch.tensor([4, 5], device="cuda"))
        plan = AttentionPlan.from_offsets(torch.tensor([0, 4, 9], device="cuda"))
    assert plan.lengths.tolist() == [4, 5]
    assert plan.device.type == "cuda"


def test_queries_are_counted_per_user():
    plan = AttentionPlan(torch.tensor([4, 0, 5, 2]), torch.tensor([0, 3, 8]))
    assert plan.asking.tolist() == [2, 0, 1, 0]
    assert (plan.queries, plan.keys) == (3, 11)
    assert plan.user_of_query.tolist() == [0, 0, 2]


def test_the_mask_lets_each_row_see_its_user_up_to_itself():
    mask = AttentionPlan([2, 0, 3], rows=[1, 3]).mask
    assert mask.int().tolist() == [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]]


@pytest.mark.parametrize(
    ("rows", "last"),
    [(None, True), ([3, 4, 8], True), ([], True), ([2, 4], False), ([3], False)],
)
def test_it_is_known_whether_the_last_rows_ask(rows, last):
    assert AttentionPlan([5, 0, 4], rows).last_rows_ask is last


lengths = st.lists(st.integers(0, 12), max_size=10)


@given(lengths=lengths, at_most=st.integers(1, 4))
def test_every_user_with_rows_is_in_one_group(lengths, at_most):
    groups = _buckets.grouped(AttentionPlan(lengths), at_most)
    assert len(groups) <= at_most
    members = np.concatenate([*groups, np.zeros(0, np.int64)])
    assert sorted(members) == [user for user, length in enumerate(lengths) if length]


@settings(deadline=None)
@given(ends=st.lists(st.integers(1, 5), min_size=1, max_size=6), at_most=st.integers(1, 4))
def test_groups_are_cut_where_it_costs_least(ends, at_most):
    counts, each = np.array(ends).cumsum(), 1e4 * np.arange(1.0, len(ends) + 1) ** 2

    def cost(cuts):
        total, start = 0.0, 0
        for end in [*cuts, counts[-1]]:
            total += (end - start) * each[counts.tolist().index(end)] + _buckets.BUCKET_PAIRS
            start = end
        return total

    inner = counts[:-1].tolist()
    best = min(cost(c) for n in range(min(at_most, len(ends))) for c in combinations(inner, n))
    cuts = _buckets._cuts(counts, each, at_most)
    assert len(cuts) < at_most
    assert cost(cuts) == pytest.approx(best)


def test_more_lengths_than_edges_still_make_four_groups_that_cover_the_longest():
    plan = AttentionPlan(list(range(1, 300)))
    groups = plan.grouping
    assert len(groups) == 4
    assert sum(group.size for group in groups) == 299
    assert plan.lengths[groups[-1]].max() == 299


def test_padding_repeats_real_rows_and_every_query_comes_back_once():
    plan = AttentionPlan([3, 1, 0, 2])
    (bucket,) = plan.one_bucket.each
    assert bucket.mask is None
    assert bucket.keys.view(3, 3).tolist() == [[3, 3, 3], [4, 5, 5], [0, 1, 2]]
    assert bucket.queries[plan.one_bucket.back].tolist() == list(range(6))


def test_what_is_built_is_kept():
    plan = AttentionPlan([3, 1, 2])
    assert plan.mask is plan.mask
    assert plan.buckets is plan.buckets
