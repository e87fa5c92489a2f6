"""Which contexts of a sample are compared, and what the better one says about a position."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from .config import LossConfig
from .contexts import Context


@dataclass(frozen=True)
class Pair:
    """Indices into a sample, and by how much the better one's token loss is lower."""

    better: int
    worse: int
    delta: float


def choose_pairs(losses: Sequence[float], config: LossConfig) -> list[Pair]:
    """Pairs with the best context first, then others, each by difference; at most `max_pairs`."""
    order = sorted(range(len(losses)), key=lambda index: losses[index])
    pairs = [Pair(b, w, losses[w] - losses[b]) for b, w in combinations(order, 2)]
    pairs.sort(key=lambda pair: -pair.delta)
    primary = [pair for pair in pairs if pair.better == order[0]]
    additional = [pair for pair in pairs if pair.better != order[0]]
    kept = math.ceil(config.pairs_kept * len(additional))
    return (primary + additional[:kept])[: config.max_pairs]


def read_lookup(context: Context) -> dict[int, int]:
    """Level of detail by position, read entry by entry."""
    positions = context.positions[0].cpu()
    lods = context.lods[0].cpu()
    return {positions[i].item(): lods[i].item() for i in range(len(positions))}
