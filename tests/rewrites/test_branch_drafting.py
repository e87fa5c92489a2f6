"""Branches behind a shared prefix: each as if drafted alone; every layer finds its place in a map."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites._counting import count
from perfkit.rewrites.branch_drafting import (
    REWRITE,
    branch_drafting,
    found,
    layer_map,
    shared_prefix_attention,
)
from perfkit.rewrites.branch_drafting._decoder import drawn_decoder


@settings(max_examples=30, deadline=None)
@given(*(st.integers(1, 4) for _ in range(4)), st.integers(0, 9))
def test_any_branches_are_as_if_drafted_alone(sequences, prompt, branches, length, seed):
    decoder = drawn_decoder(12, 8, 2, 2, prompt + length, seed)
    tokens = torch.randint(12, (sequences, prompt), generator=torch.Generator().manual_seed(seed))
    alone = found(decoder, tokens, branches, length)
    shared = branch_drafting(decoder, tokens, branches, length)
    assert torch.equal(shared.tokens, alone.tokens)
    torch.testing.assert_close(shared.logits, alone.logits)


def test_first_tokens_are_the_likeliest_each_once():
    decoder, prompt, branches, length = REWRITE.cases[0].make(0)
    first = branch_drafting(decoder, prompt, branches, length).tokens[0, :, 0]
    assert first.unique().numel() == branches


def test_nothing_is_read_and_the_prefix_runs_once():
    inputs = REWRITE.cases[0].make(0)
    assert count(REWRITE.reference, inputs).syncs == 64
    counted = count(REWRITE.forms[0], inputs)
    assert (counted.syncs, counted.copies) == (0, 0)


@settings(deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(0, 3), st.integers(0, 5)
)
def test_attention_in_two_parts_is_attention_over_the_whole(p, k, t, earlier, prefix):
    generator = torch.Generator().manual_seed(p + k + t)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    h, d, s = 2, 3, t + earlier
    lengths = torch.arange(p) % (prefix + 1)
    q, own, shared = some(p, k, h, t, d), [some(p, k, h, s, d) for _ in "kv"], []
    shared = [some(p, h, prefix, d) for _ in "kv"]
    ours = shared_prefix_attention(q, tuple(shared), tuple(own), lengths)
    for row in range(p):
        for branch in range(k):
            n = int(lengths[row])
            key, value = (
                torch.cat([whole[row, :, :n], part[row, branch]], 1)
                for whole, part in zip(shared, own, strict=True)
            )
            sees = torch.ones(t, n + s, dtype=torch.bool).tril(n + s - t)
            right = torch.nn.functional.scaled_dot_product_attention(
                q[row, branch], key, value, attn_mask=sees
            )
            torch.testing.assert_close(ours[row, branch], right)


@settings(deadline=None)
@given(st.integers(1, 100), st.integers(1, 100))
def test_a_layer_map_uses_every_source_layer_in_order_from_first_to_last(sources, targets):
    groups = layer_map(sources, targets)
    assert len(groups) == targets
    assert all(groups)
    flat = [source for group in groups for source in group]
    assert flat == sorted(flat)
    assert (
        set(flat) == set(range(sources)) if targets <= sources else set(flat) <= set(range(sources))
    )
    assert groups[0][0] == 0
    assert groups[-1][-1] == sources - 1


def test_more_targets_than_sources_still_use_every_source():
    assert {s for group in layer_map(4, 9) for s in group} == {0, 1, 2, 3}


def test_eighty_layers_on_thirty_two_reach_the_last_which_every_second_one_does_not():
    assert layer_map(80, 32)[-1][-1] == 79
    assert max(2 * target for target in range(32)) == 62


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_a_model_without_layers_is_refused(sizes):
    with pytest.raises(ValueError, match="one layer"):
        layer_map(*sizes)
