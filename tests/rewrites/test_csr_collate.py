"""Collating out of columns: any rows in any order, empty bags kept, no read of a device."""

from __future__ import annotations

from collections import UserList

import torch
from hypothesis import given
from hypothesis import strategies as st

from perfkit.rewrites.csr_collate import columns_of, csr_collate, csr_fused, found
from perfkit.rewrites.fused_embedding import fuse_slots

bags = st.dictionaries(st.integers(0, 3), st.lists(st.integers(0, 9), max_size=3))


@given(st.lists(bags, min_size=1, max_size=6), st.data())
def test_any_rows_in_any_order_give_the_bags_of_the_lists(listed, data):
    picks = data.draw(st.lists(st.integers(0, len(listed) - 1), max_size=8))
    rows = torch.tensor(picks, dtype=torch.int64)
    columns = columns_of(listed, 4)
    expected = found(UserList(listed), *columns, rows)
    mine = csr_collate(*columns, rows)
    assert len(mine) == len(expected) == 4
    for (values, offsets), (right, ends) in zip(mine, expected, strict=True):
        assert torch.equal(values, right) and torch.equal(offsets, ends)
    fused = fuse_slots(mine)
    values, offsets = csr_fused(*columns, rows)
    assert torch.equal(values, fused.ids) and torch.equal(offsets, fused.offsets)


def test_a_data_set_without_rows_gives_empty_bags():
    columns = columns_of([], 2)
    rows = torch.zeros(0, dtype=torch.int64)
    assert [(v.tolist(), o.tolist()) for v, o in csr_collate(*columns, rows)] == [([], [0])] * 2
    assert csr_fused(*columns, rows)[1].tolist() == [0]
