"""The found pieces: what they give is right, what they waste is wasted."""

from __future__ import annotations

import torch

from perfkit.workloads.lookahead.found import Controller, align, verify, verify_chain


def test_one_token_without_counterpart_discards_its_draft():
    mapping = {0: 5, 1: 6, 2: -1}
    drafts = [torch.tensor([0, 1]), torch.tensor([0, 2]), torch.tensor([1, 9])]
    assert align(drafts, mapping) == [[5, 6]]


def test_the_longest_branch_is_taken_and_the_main_models_own_token_added():
    logits = torch.eye(4)[torch.tensor([[1, 2, 3], [1, 2, 0]])]
    assert verify(logits, torch.tensor([[1, 3], [1, 2]])) == ([1, 2, 0], 1)
    assert verify(logits, torch.tensor([[0, 0], [0, 0]])) == ([1], 0)


def test_the_controller_only_grows():
    controller = Controller(4, 8)
    for _ in range(60):
        controller.update(0, controller.length)
    assert controller.length == 4
    for _ in range(200):
        controller.update(1, controller.length)
    assert controller.length == 8


def test_a_chains_first_word_is_distributed_as_the_main_models():
    torch.manual_seed(0)
    p = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.25, 0.25, 0.25, 0.25]])
    q = torch.tensor([0.1, 0.3, 0.3, 0.3])
    chains = 6000
    drafted = q.multinomial(chains, replacement=True).tolist()
    first = torch.tensor([verify_chain(p, [q], [token])[0] for token in drafted])
    shares = torch.bincount(first, minlength=4) / chains
    assert float(chains * ((shares - p[0]) ** 2 / p[0]).sum()) < 21.1  # 0.9999, 3 degrees
