"""What the loss depends on besides tensors: levels of detail, shape of the penalty, weights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Shape(Enum):
    """How a score is compared with its target; softplus is the Bradley-Terry likelihood."""

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
    """Weights of the loss. A weight of 0 leaves its term out, in time as well.

    Attributes:
        pairs_kept: share of the additional pairs (those without the best context) that may compete
            for the `max_pairs` places of a sample.
        rank_weight: entries to expand should score higher on average than entries to collapse.
        budget_weight: tokens asked for and tokens given up should balance within a pair.
        smoothed_budget_weight: the same after averaging with the steps before, exponentially, with
            `smoothed_budget_decay` for the past.
        kl_weight: the scores of a context should stay near those of the step before.
        coverage_weight: the length of a context after its edits should stay what it is.
        telemetry: say how scores and targets agree.
        keep_scores: remember the scores for the KL term of the next step.
    """

    shape: Shape = Shape.SOFTPLUS
    temperature: float = 1.0
    margin: float = 0.1
    collapse_weight: float = 1.0
    max_pairs: int = 8
    pairs_kept: float = 1.0
    rank_weight: float = 0.5
    budget_weight: float = 0.1
    smoothed_budget_weight: float = 0.0
    smoothed_budget_decay: float = 0.9
    kl_weight: float = 0.0
    coverage_weight: float = 0.0
    telemetry: bool = True
    keep_scores: bool = True

    @property
    def has_extra_terms(self) -> bool:
        """Any of the terms that are off by default."""
        return max(self.kl_weight, self.coverage_weight, self.smoothed_budget_weight) > 0
