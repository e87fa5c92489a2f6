import numpy as np
import pytest
import torch

from perfkit.rewrites.pairwise_preference_loss.drawn import context_width
from perfkit.workloads.lens.contexts import draw_samples, invented_loss

from .sizes import SMALL


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
    moved = draw_samples(SMALL, 0)[0][0].to(torch.device("meta"))
    assert all(t.is_meta for t in vars(moved).values() if isinstance(t, torch.Tensor))
    assert moved.end == SMALL.tokens


def test_hiding_and_leaving_out_both_raise_the_token_loss():
    weights, levels = np.array([1.0, 2.0, 3.0]), np.array([0, 0, 0])
    assert invented_loss(weights, levels, 6.0) == 2.0
    assert invented_loss(weights, np.array([0, 1, 0]), 6.0) == pytest.approx(2 + 4 / 6)
    assert invented_loss(weights, np.array([0, 2, 0]), 6.0) == pytest.approx(2 + 4 * 4 / 18)
    assert invented_loss(weights[:2], levels[:2], 6.0) == pytest.approx(4.0)
