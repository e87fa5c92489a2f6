"""LensNet: a score between -1 (collapse) and 1 (expand) for every entry of a working context."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import Config
from .contexts import Sample


class LensNet(nn.Module):
    """A small transformer over the entries of each context, with a tanh at the end."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.tokens = config.tokens
        self.entry = nn.Linear(config.embedding, config.width)
        self.lod = nn.Embedding(config.lods.top + 1, config.width)
        self.age = nn.Linear(1, config.width)
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            config.hidden,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
        )
        self.body = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.head = nn.Linear(config.width, 1)

    def forward(self, embeddings: Tensor, positions: Tensor, lods: Tensor) -> Tensor:
        """Scores [N, W] of N contexts of the same width."""
        age = 1.0 - positions.unsqueeze(-1).to(embeddings.dtype) / self.tokens
        x = self.entry(embeddings) + self.lod(lods) + self.age(age)
        return torch.tanh(self.head(self.body(x)).squeeze(-1))


def score_samples(lens: LensNet, samples: list[Sample]) -> list[list[Tensor]]:
    """One forward over all contexts of all samples; scores [W] arranged like the samples."""
    contexts = [context for sample in samples for context in sample]
    scores = lens(
        torch.cat([context.embeddings for context in contexts]),
        torch.cat([context.positions for context in contexts]),
        torch.cat([context.lods for context in contexts]),
    )
    rows = iter(scores)
    return [[next(rows) for _ in sample] for sample in samples]
