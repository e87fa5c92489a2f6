"""Fusing slots on the host: refused inputs, then the layout, policies, tables of their own, weights."""

from __future__ import annotations

import itertools
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.rewrites.fused_embedding.slots import (
    FusedIds,
    IdPolicy,
    admitted,
    fuse_slots,
    slot_major,
)


def slot(*bags: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    values = [one for bag in bags for one in bag]
    offsets = torch.tensor([0, *(len(bag) for bag in bags)]).cumsum(0)
    return torch.tensor(values, dtype=torch.int64), offsets


def test_no_slots_are_refused():
    with pytest.raises(PerfkitError, match="no slots"):
        fuse_slots({})


def test_slots_of_different_numbers_of_tokens_are_refused_by_name():
    with pytest.raises(PerfkitError, match=r"'b' has 2 tokens, slot 'a' has 1"):
        fuse_slots({"a": slot([1]), "b": slot([1], [2])})


@pytest.mark.parametrize("offsets", [[0, 1], [0, 3], [1, 2]])
def test_offsets_that_would_drop_or_invent_ids_are_refused(offsets):
    with pytest.raises(PerfkitError, match="offsets"):
        fuse_slots([(torch.tensor([5, 6]), torch.tensor(offsets))])
    with pytest.raises(PerfkitError, match="fused offsets run"):
        FusedIds(torch.tensor([5, 6]), torch.tensor(offsets), 1)


def test_bags_that_do_not_divide_by_the_slots_are_refused():
    with pytest.raises(PerfkitError, match="3 bags"):
        FusedIds(torch.tensor([5]), torch.tensor([0, 0, 1, 1]), 2)


def test_weights_need_one_number_per_id():
    with pytest.raises(PerfkitError, match="weights"):
        FusedIds(torch.tensor([5, 6]), torch.tensor([0, 2]), 1, torch.ones(3))


def test_row_counts_are_one_per_slot():
    with pytest.raises(PerfkitError, match="2 tables for 1 slots"):
        fuse_slots([slot([1])], rows=[4, 4])


def test_ids_stand_token_by_token():
    fused = fuse_slots([slot([1, 2], [], [3]), slot([4], [5, 6], [])])
    assert fused.ids.tolist() == [1, 2, 4, 5, 6, 3]
    assert fused.offsets.tolist() == [0, 2, 3, 3, 5, 6, 6]
    assert (fused.tokens, fused.slots) == (3, 2)


def test_ids_stand_slot_by_slot():
    ids, offsets = slot_major([slot([1, 2], []), slot([4], [5])])
    assert (ids.tolist(), offsets.tolist()) == ([1, 2, 4, 5], [0, 2, 2, 3, 4])


@given(
    st.integers(1, 4).flatmap(
        lambda slots: st.lists(
            st.lists(
                st.lists(st.integers(-9, 9), max_size=3),
                min_size=slots,
                max_size=slots,
            ),
            min_size=1,
            max_size=6,
        )
    )
)
def test_every_bag_keeps_its_ids_in_order(tokens):
    slots = [slot(*column) for column in zip(*tokens, strict=True)]
    weights = [values.float() for values, _ in slots]
    fused = fuse_slots(slots, weights=weights)
    ends = fused.offsets.tolist()
    bags = [fused.ids[a:b].tolist() for a, b in itertools.pairwise(ends)]
    assert bags == [bag for token in tokens for bag in token]
    assert torch.equal(fused.weights, fused.ids.float())


def test_the_policies_differ_only_outside_the_table():
    ids = torch.tensor([-7, -1, 0, 4, 5, 12])
    assert admitted(ids, 5, IdPolicy.CLAMP).tolist() == [0, 0, 0, 4, 4, 4]
    assert admitted(ids, 5, IdPolicy.MODULO).tolist() == [3, 4, 0, 4, 0, 2]
    assert admitted(ids, 5, IdPolicy.AS_IS) is ids


def test_a_policy_can_be_applied_on_the_host():
    assert fuse_slots([slot([-1, 9])], rows=5).ids.tolist() == [0, 4]
    fused = fuse_slots([slot([-1, 9])], rows=5, policy=IdPolicy.MODULO)
    assert fused.ids.tolist() == [4, 4]


def test_tables_of_their_own_are_stacked_and_the_policy_stays_within_each():
    fused = fuse_slots([slot([9], [0]), slot([9], [1])], rows=[3, 5])
    assert fused.ids.tolist() == [2, 3 + 4, 0, 3 + 1]


def test_fused_ids_pass_between_processes():
    fused = fuse_slots([slot([1], [2])], weights=[torch.ones(2)])
    again = pickle.loads(pickle.dumps(fused))
    assert torch.equal(again.ids, fused.ids) and torch.equal(again.weights, fused.weights)
