"""What a loss returns, and what it remembers from step to step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from .config import Lods, LossConfig
from .contexts import Sample

Key = tuple[int, int]


@dataclass
class ScoreHistory:
    """Host copies of scores, by (sample, context), of this step and the one before."""

    previous: dict[Key, Tensor] = field(default_factory=dict)
    current: dict[Key, Tensor] = field(default_factory=dict)

    def keep(self, key: Key, scores: Tensor) -> None:
        """Copy the scores of one context to the host."""
        self.current[key] = scores.detach().float().cpu()

    def next_step(self) -> None:
        """What was current becomes previous."""
        self.previous, self.current = self.current, {}


@dataclass(frozen=True)
class LossResult:
    """The loss, how many pairs it is the mean of, and telemetry averaged over them."""

    loss: Tensor
    pairs: int
    telemetry: dict[str, float]


LensLoss = Callable[[list[Sample], list[list[Tensor]], Lods, LossConfig, ScoreHistory], LossResult]
