"""Working contexts, and invented samples of them.

A working context tiles a range of tokens with entries of several levels of detail, in order and
without overlap. A sample has a baseline, which simply keeps the latest tokens at full detail, and
variants over all tokens in which random aligned blocks were collapsed until they are as short.
Tokens carry an invented importance: hiding important ones raises a context's token loss, and the
embeddings tell of it, so that the lens has something to learn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .config import Config, Lods

Entries = dict[int, int]


@dataclass
class WorkingContext:
    """Entries of one context: positions and levels int64 [1, W], embeddings [1, W, E].

    `token_loss` is the mean loss of the base model when it reads this context, a 0-d tensor.
    """

    positions: Tensor
    lods: Tensor
    embeddings: Tensor
    token_loss: Tensor

    def to(self, device: torch.device) -> WorkingContext:
        """The same context on another device."""
        return WorkingContext(
            self.positions.to(device),
            self.lods.to(device),
            self.embeddings.to(device),
            self.token_loss.to(device),
        )


Sample = list[WorkingContext]


def context_width(config: Config) -> int:
    """Entries of every context: the most that whole collapses reach within the wanted share."""
    removed = config.lods.block - 1
    excess = config.tokens * (1 - config.share)
    return config.tokens - removed * math.ceil(excess / removed)


def collapsible(entries: Entries, lod: int, end: int, lods: Lods) -> list[int]:
    """Starts of the blocks before `end` whose children are all there at level `lod`."""
    child, parent = lods.span(lod), lods.span(lod + 1)
    return [
        start
        for start in range(0, end - parent + 1, parent)
        if all(entries.get(position) == lod for position in range(start, start + parent, child))
    ]


def collapse(entries: Entries, start: int, lod: int, lods: Lods) -> None:
    """Replace the children of level `lod` that begin at `start` by their parent, in place."""
    for position in range(start, start + lods.span(lod + 1), lods.span(lod)):
        del entries[position]
    entries[start] = lod + 1


def draw_variant(config: Config, rng: np.random.Generator) -> Entries:
    """All tokens, with random blocks collapsed until the wanted width is reached.

    Raises:
        ValueError: the tail at full detail leaves too few blocks to collapse.
    """
    lods, end = config.lods, config.tokens - config.tail
    entries: Entries = dict.fromkeys(range(config.tokens), 0)
    while len(entries) > context_width(config):
        order = list(range(lods.top))
        if rng.random() < config.deeper_chance:
            order.reverse()
        for lod in order:
            starts = collapsible(entries, lod, end, lods)
            if starts:
                collapse(entries, int(rng.choice(starts)), lod, lods)
                break
        else:
            raise ValueError("nothing left to collapse: lower `tail` or raise `share`")
    return dict(sorted(entries.items()))


def draw_entries(config: Config, rng: np.random.Generator) -> list[Entries]:
    """The baseline and the variants of one sample, near-duplicates dropped."""
    width = context_width(config)
    kept: list[Entries] = [dict.fromkeys(range(config.tokens - width, config.tokens), 0)]
    for _ in range(config.variants):
        variant = draw_variant(config, rng)
        shared = max(len(variant.items() & other.items()) for other in kept)
        if shared < config.near_duplicate * width:
            kept.append(variant)
    return kept


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
                torch.from_numpy(means).float()[None],
                torch.tensor(loss),
            )
        )
    return sample


def draw_samples(config: Config, step: int) -> list[Sample]:
    """The samples of one training step; the same for the same seed and step."""
    rng = np.random.default_rng([config.seed, step])
    return [draw_sample(config, rng) for _ in range(config.samples)]
