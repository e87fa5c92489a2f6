"""The cache gives what running the whole text gives; the draft is right often, not always."""

from __future__ import annotations

import torch

from perfkit.workloads.lookahead.model import Cache

from .inputs import SMALL, models_of


def empty(cache: Cache) -> Cache:
    pairs = [(key[:, :, :0], value[:, :, :0]) for key, value in cache.layers]
    return Cache(pairs, torch.zeros_like(cache.lengths))


@torch.no_grad()
def test_a_prefix_in_the_cache_and_settled_branches_are_as_the_whole_text():
    main = models_of(SMALL).main
    generator = torch.Generator().manual_seed(0)
    prompt, more, last = (torch.randint(20, (2, n), generator=generator) for n in (5, 3, 2))
    cache = main.prefill(prompt, torch.tensor([5, 3]), 16)
    branches = torch.stack([torch.zeros_like(more), more], 1)
    _, own = main(branches, cache)
    cache.commit(own, torch.tensor([1, 1]), torch.tensor([3, 2]))
    assert cache.lengths.tolist() == [8, 5]
    logits, _ = main(last.unsqueeze(1), cache)
    for row, (kept, added) in enumerate([(5, 3), (3, 2)]):
        whole = torch.cat([prompt[row, :kept], more[row, :added], last[row]])
        nothing = empty(main.prefill(whole[None, :1], torch.tensor([1]), 16))
        right, _ = main(whole[None, None], nothing)
        torch.testing.assert_close(logits[row, 0], right[0, 0, -2:], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_padding_behind_a_prompt_changes_nothing():
    main = models_of(SMALL).main
    tokens = torch.tensor([[1, 2, 3, 0, 0]])
    padded = main.prefill(tokens, torch.tensor([3]), 8)
    bare = main.prefill(tokens[:, :3], torch.tensor([3]), 8)
    next_token = torch.tensor([[[4]]])
    torch.testing.assert_close(main(next_token, padded)[0], main(next_token, bare)[0])


@torch.no_grad()
def test_the_draft_shares_meaning_with_the_main_model():
    models = models_of(SMALL)
    spelling = torch.tensor(models.language.spelling)[SMALL.rare :]
    shared = models.main.embedding.weight[SMALL.rare :]
    assert torch.equal(models.draft.embedding.weight[spelling], shared)


def test_the_same_seed_plants_the_same_weights():
    one, other = models_of(SMALL), models_of(SMALL)
    for a, b in zip(one.main.parameters(), other.main.parameters(), strict=True):
        assert torch.equal(a, b)
