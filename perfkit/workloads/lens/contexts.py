"""Working contexts with embeddings, and invented samples of them.

Tokens carry an invented importance: hiding important ones raises a context's token loss, and the
embeddings tell of it, so that the lens has something to learn. Which contexts there are is drawn
by `perfkit.rewrites.pairwise_preference_loss.drawn`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from perfkit.rewrites.pairwise_preference_loss.contexts import Context
from perfkit.rewrites.pairwise_preference_loss.drawn import draw_entries

from .config import Config


@dataclass
class WorkingContext(Context):
    """A context with the embeddings [1, W, E] of its entries."""

    embeddings: Tensor

    def to(self, device: torch.device) -> WorkingContext:
        """The same context on another device."""
        return WorkingContext(
            self.positions.to(device),
            self.lods.to(device),
            self.token_loss.to(device),
            self.end,
            self.embeddings.to(device),
        )


Sample = list[WorkingContext]


def entry_sums(tokens: np.ndarray, starts: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Sum over the tokens [T, ...] that each entry stands for."""
    sums = np.concatenate([np.zeros_like(tokens[:1]), tokens.cumsum(0)])
    return np.asarray(sums[starts + spans] - sums[starts])


def invented_loss(weights: np.ndarray, levels: np.ndarray, total: float) -> float:
    """Token loss from the importance of each entry, growing with what is hidden or left out."""
    hidden = float((weights * levels / (levels + 1)).sum())
    left_out = total - float(weights.sum())
    return 2.0 + 4.0 * (hidden + left_out) / total


def draw_sample(config: Config, rng: np.random.Generator) -> Sample:
    """One sample of contexts on the CPU."""
    importance = np.exp(1.5 * rng.standard_normal(config.tokens))
    direction = np.random.default_rng(config.seed).standard_normal(config.embedding)
    tokens = 0.3 * rng.standard_normal((config.tokens, config.embedding))
    tokens += np.log1p(importance)[:, None] * direction
    sample = []
    for entries in draw_entries(config, rng):
        positions = np.array(list(entries), dtype=np.int64)
        levels = np.array(list(entries.values()), dtype=np.int64)
        spans = config.lods.block**levels
        means = entry_sums(tokens, positions, spans) / spans[:, None]
        weights = entry_sums(importance, positions, spans)
        loss = invented_loss(weights, levels, float(importance.sum()))
        sample.append(
            WorkingContext(
                torch.from_numpy(positions)[None],
                torch.from_numpy(levels)[None],
                torch.tensor(loss),
                config.tokens,
                torch.from_numpy(means).float()[None],
            )
        )
    return sample


def draw_samples(config: Config, step: int) -> list[Sample]:
    """The samples of one training step; the same for the same seed and step."""
    rng = np.random.default_rng([config.seed, step])
    return [draw_sample(config, rng) for _ in range(config.samples)]
