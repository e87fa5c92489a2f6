"""The loss in every n-th step only, n times as strong.

Approximate: the gradient arrives in lumps. Over the window it is right on average where contexts do
not depend on the step; an optimizer with momentum sees lumps as noise.
"""

from __future__ import annotations

from itertools import compress
from typing import Any

import torch
from torch import Tensor

from .analytic import analytic
from .batched import Preference, nothing
from .config import Lods, LossConfig
from .packed import Memory


def due(step: int, every: int) -> bool:
    """True in the steps in which the loss is computed.

    Raises:
        ValueError: `every` is smaller than 1.
    """
    if every < 1:
        raise ValueError(f"a step of {every} steps")
    return step % every == 0


def gated(step: int, every: int, *arguments: Any) -> Preference:
    """The lens loss times `every` in steps that are due, else 0 without gradient.

    Args:
        arguments: those of `pairwise_preference_loss`.
    """
    if not due(step, every):
        return nothing(arguments[0], arguments[7])
    given = analytic(*arguments)
    return Preference(given.loss * every, given.pairs, given.telemetry, given.memory)


def gated_window(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
    geometry: Lods,
    config: LossConfig,
    memory: Memory | None = None,
    every: int = 2,
) -> Preference:
    """What the gate sees of a window: each sample stands for a step, and only due ones count."""
    kept = [due(sample, every) for sample in sample_of_context]
    rows = torch.tensor(list(compress(range(len(kept)), kept))).to(scores.device)
    return analytic(
        scores[rows],
        positions[rows],
        lods[rows],
        token_losses[rows],
        tuple(compress(sample_of_context, kept)),
        tokens,
        geometry,
        config,
    )
