"""A quadratic stand-in for the preference term, with coefficients that are made once per context.

Around a score of 0, softplus(-x) is log 2 - x/2 + x²/8 up to x⁴/192. Summed over all pairs that is
one linear and one quadratic coefficient per entry, whatever the number of pairs. Approximate: rank
and budget terms are left out, and scores that are large after scaling are pulled back too much.
For the hinge the linear part alone is kept, so that scores past the margin are still pushed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .batched import Preference, accumulating, nothing
from .config import Lods, LossConfig, Shape
from .layout import layout
from .packed import Memory
from .targets import Targets, make_targets


@dataclass(frozen=True)
class Proxy:
    """Coefficients of a batch: 0-d, [N, W], [N, W]."""

    constant: Tensor
    linear: Tensor
    square: Tensor

    def loss(self, scores: Tensor) -> Tensor:
        """The stand-in for scores [N, W]."""
        real = torch.where(self.linear == 0, 0.0, scores.to(self.linear.dtype))
        return self.constant + (real * (self.linear + self.square * real)).sum()


def make_proxy(targets: Targets, config: LossConfig) -> Proxy:
    """Coefficients from targets; to be kept for as long as the targets hold."""
    hinge = config.shape is Shape.HINGE
    slope, curve = (1.0, 0.0) if hinge else (0.5, 0.125)
    pull = targets.weight * targets.reach
    blank = torch.zeros(targets.padding.shape, dtype=pull.dtype, device=pull.device)
    return Proxy(
        (config.margin if hinge else math.log(2)) * targets.weight.sum(),
        blank.index_add(0, targets.worse, -slope * pull),
        blank.index_add(0, targets.worse, curve * pull * targets.reach),
    )


def proxy(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
    geometry: Lods,
    config: LossConfig,
    memory: Memory | None = None,
) -> Preference:
    """Stand-in for `pairwise_preference_loss`, coefficients included; without telemetry."""
    plan = layout(sample_of_context, config, scores.device)
    if plan.pairs == 0:
        return nothing(scores, config)
    dtype = accumulating(scores)
    targets = make_targets(positions, lods, token_losses, tokens, plan, geometry, config, dtype)
    return Preference(make_proxy(targets, config).loss(scores), targets.counted)


def agreement(one: Tensor, other: Tensor) -> float:
    """Cosine between two gradients; 1 where both are zero, 0 where only one is."""
    a, b = one.detach().double().flatten(), other.detach().double().flatten()
    size = float(a.norm() * b.norm())
    if size == 0:
        return float(not a.any() and not b.any())
    return float(a @ b) / size
