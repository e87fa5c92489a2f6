"""Hand-made and drawn contexts, and every exact generation of the loss over lists."""

from dataclasses import replace

import torch

from perfkit.rewrites.pairwise_preference_loss.analytic import analytic
from perfkit.rewrites.pairwise_preference_loss.batched import batched
from perfkit.rewrites.pairwise_preference_loss.config import Lods, LossConfig
from perfkit.rewrites.pairwise_preference_loss.contexts import Context
from perfkit.rewrites.pairwise_preference_loss.drawn import Geometry, draw_entries
from perfkit.rewrites.pairwise_preference_loss.forms import cached
from perfkit.rewrites.pairwise_preference_loss.history import ScoreHistory
from perfkit.rewrites.pairwise_preference_loss.lists import over_packed
from perfkit.rewrites.pairwise_preference_loss.pair_vec import pair_vec
from perfkit.rewrites.pairwise_preference_loss.slow_dict import slow_dict
from perfkit.rewrites.pairwise_preference_loss.slow_elem import slow_elem
from perfkit.rewrites.pairwise_preference_loss.two_stage import two_stage

torch.set_num_threads(1)

LOSSES = {
    "slow_dict": slow_dict,
    "slow_elem": slow_elem,
    "pair_vec": pair_vec,
    "batched": over_packed(batched),
    "analytic": over_packed(analytic),
    "cached": over_packed(cached),
    "two_stage": over_packed(two_stage),
}
LODS = Lods(block=4, top=2)
SMALL = Geometry(tokens=96, tail=16, samples=3, variants=3)
PLAIN = LossConfig(rank_weight=0, budget_weight=0, telemetry=False, keep_scores=False)


def context(entries: dict[int, int], loss: float) -> Context:
    """A context with the given level at each position."""
    return Context(
        torch.tensor([list(entries)]),
        torch.tensor([list(entries.values())]),
        torch.tensor(loss, dtype=torch.float64),
        end=128,
    )


def fine(tokens: int = 16, loss: float = 1.0) -> Context:
    """All tokens at full detail."""
    return context(dict.fromkeys(range(tokens), 0), loss)


def coarse(loss: float, tokens: int = 16) -> Context:
    """The first four tokens summarised by one entry, the rest at full detail."""
    return context({0: 1} | dict.fromkeys(range(4, tokens), 0), loss)


def drawn(geometry: Geometry = SMALL, seed: int = 0) -> list[list[Context]]:
    """Drawn samples whose token losses differ by enough to give strong targets."""
    import numpy as np

    rng = np.random.default_rng(seed)
    return [
        [
            replace(context(entries, rng.uniform(2, 3)), end=geometry.tokens)
            for entries in draw_entries(geometry, rng)
        ]
        for _ in range(geometry.samples)
    ]


def random_scores(samples, dtype=torch.float64) -> list[list[torch.Tensor]]:
    """Scores between -1 and 1 that want a gradient, from a fixed seed."""
    torch.manual_seed(3)
    return [
        [
            torch.tanh(torch.randn(c.positions.shape[1], dtype=torch.float64))
            .to(dtype)
            .requires_grad_()
            for c in sample
        ]
        for sample in samples
    ]


def evaluate(name: str, samples, scores, config: LossConfig, lods=LODS):
    """One generation's loss with an empty history."""
    return LOSSES[name](samples, scores, lods, config, ScoreHistory())


def gradients(result, scores) -> list[torch.Tensor]:
    """d loss / d scores of every context, zero where a context played no part."""
    flat = [s for sample in scores for s in sample]
    found = torch.autograd.grad(result.loss, flat, allow_unused=True)
    return [torch.zeros_like(s) if g is None else g for s, g in zip(flat, found, strict=True)]
