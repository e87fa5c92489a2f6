"""What a loss over lists of contexts returns, and what it remembers from step to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .config import Lods, LossConfig
from .contexts import Sample

Key = tuple[int, int]


@dataclass
class ScoreHistory:
    """Host copies of scores, by (sample, context), of this step and the one before.

    Attributes:
        budget: tokens asked for and given up [2], averaged over the steps before; None at first.
        on_device: the same memory as the packed forms keep it, see `packed.Memory`.
    """

    previous: dict[Key, Tensor] = field(default_factory=dict)
    current: dict[Key, Tensor] = field(default_factory=dict)
    budget: Tensor | None = None
    budgets: list[Tensor] = field(default_factory=list)
    on_device: Any = None

    def keep(self, key: Key, scores: Tensor) -> None:
        """Copy the scores of one context to the host."""
        self.current[key] = scores.detach().float().cpu()

    def next_step(self, decay: float = 0.0) -> None:
        """What was current becomes previous; the budgets of the step join their average."""
        self.previous, self.current = self.current, {}
        if self.budgets:
            mean = torch.stack(self.budgets).mean(0)
            past = mean if self.budget is None else self.budget
            self.budget = decay * past + (1 - decay) * mean
            self.budgets = []


@dataclass(frozen=True)
class LossResult:
    """The loss, how many pairs it is the mean of, and telemetry averaged over them."""

    loss: Tensor
    pairs: int
    telemetry: dict[str, float]


LensLoss = Callable[
    [Sequence[Sample], Sequence[Sequence[Tensor]], Lods, LossConfig, ScoreHistory], Any
]
"""A loss over lists; gives a `LossResult`, or something with the same attributes."""
