"""Draft alignment: the ids of the found loop, the usable prefix, and no question to the device."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites._counting import count
from perfkit.rewrites.draft_alignment import (
    REWRITE,
    by_one_read,
    closed,
    draft_alignment,
    found,
    token_table,
)

tables = st.lists(st.integers(-1, 30), min_size=1, max_size=8)
drafts = st.integers(0, 4).flatmap(
    lambda length: st.lists(
        st.lists(st.integers(-3, 11), min_size=length, max_size=length), min_size=1, max_size=5
    )
)


@settings(deadline=None)
@given(drafts=drafts, table=tables)
def test_any_drafts_and_table_give_the_ids_of_the_found_code(drafts, table):
    inputs = REWRITE.adopt(torch.tensor([drafts], dtype=torch.int64), torch.tensor(table))
    right = found(*inputs)
    for mine in (draft_alignment(*inputs[:2]), by_one_read(*inputs)):
        assert torch.equal(mine.ids, right.ids)
        assert torch.equal(mine.usable, right.usable)


@settings(deadline=None)
@given(drafts=drafts, table=tables)
def test_the_found_programs_discard_exactly_the_branches_that_are_not_wholly_usable(drafts, table):
    aligned = draft_alignment(torch.tensor(drafts, dtype=torch.int64), closed(torch.tensor(table)))
    for branch, ids, usable in zip(drafts, aligned.ids, aligned.usable, strict=True):
        mapped = [table[t] if 0 <= t < len(table) else -1 for t in branch]
        discarded = -1 in mapped
        assert (int(usable) < len(branch)) == discarded
        assert ids[: int(usable)].tolist() == mapped[: int(usable)]
        assert -1 not in mapped[: int(usable)]


def test_the_table_asks_nothing_where_the_found_code_asks_once_per_token():
    inputs = REWRITE.case("2048 tokens").make(0)
    assert count(REWRITE.reference, inputs).syncs == 2048
    assert count(REWRITE.found[1], inputs).syncs == 1
    assert count(REWRITE.forms[0], inputs).syncs == 0


def test_an_empty_table_has_no_counterpart_for_anything():
    aligned = draft_alignment(torch.tensor([[0, 3]]), closed(torch.empty(0, dtype=torch.int64)))
    assert aligned.ids.tolist() == [[-1, -1]]
    assert aligned.usable.tolist() == [0]


def test_a_token_table_keeps_what_the_main_tokenizer_writes_as_one_token():
    main = {"ka": 0, "lo": 1, "mi": 2}

    def encode(text: str) -> list[int]:
        return [main[text[i : i + 2]] for i in range(0, len(text), 2)]

    assert token_table(["mi", "kalo", "ka", ""], encode).tolist() == [2, -1, 0, -1, -1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_it_can_be_captured_in_a_graph():
    drafts, table, _ = (x.cuda() if isinstance(x, torch.Tensor) else x for x in _made())
    right = draft_alignment(drafts, table)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = draft_alignment(drafts, table)
    graph.replay()
    assert torch.equal(captured.ids, right.ids)
    assert torch.equal(captured.usable, right.usable)


def _made():
    return REWRITE.case("2048 tokens").make(0)
