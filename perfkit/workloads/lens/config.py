"""Named sizes of the workload. Every number a run depends on is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Shape(Enum):
    """How a score is compared with its target."""

    SOFTPLUS = "softplus"
    HINGE = "hinge"


@dataclass(frozen=True)
class Lods:
    """Levels of detail: an entry of level l stands for block**l tokens and starts at a multiple."""

    block: int = 4
    top: int = 2

    def span(self, lod: int) -> int:
        """Tokens that an entry of this level stands for."""
        return int(self.block**lod)

    def parent(self, position: int, lod: int) -> int:
        """Number of the block of the next level in which an entry lies."""
        return position // self.span(lod + 1)


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss. A weight of 0 leaves its term out.

    `pairs_kept` is the share of the additional pairs (those without the best context) that may
    compete for the `max_pairs` places of a sample.
    """

    shape: Shape = Shape.SOFTPLUS
    temperature: float = 1.0
    margin: float = 0.1
    collapse_weight: float = 1.0
    max_pairs: int = 8
    pairs_kept: float = 1.0
    rank_weight: float = 0.5
    budget_weight: float = 0.1
    kl_weight: float = 0.0
    telemetry: bool = True
    keep_scores: bool = True


@dataclass(frozen=True)
class Config:
    """Sizes of the data, the network and the run; lengths are in tokens or entries."""

    seed: int = 2025
    tokens: int = 256
    tail: int = 32
    share: float = 0.75
    deeper_chance: float = 0.1
    near_duplicate: float = 0.98
    samples: int = 6
    variants: int = 2
    lods: Lods = field(default_factory=Lods)
    loss: LossConfig = field(default_factory=LossConfig)

    embedding: int = 16
    width: int = 32
    heads: int = 2
    layers: int = 2
    hidden: int = 64

    steps: int = 40
    learning_rate: float = 3e-3
    log_every: int = 10


CONFIGS: dict[str, Config] = {
    "laptop": Config(),
    # 39 contexts of 1521 entries and 39 pairs, as reported; the network's widths are our guess.
    "reported": Config(
        tokens=2048,
        tail=128,
        samples=13,
        lods=Lods(block=32, top=2),
        embedding=256,
        width=256,
        heads=4,
        hidden=1024,
        learning_rate=3e-4,
    ),
}
