"""The analytic form as one function for a compiler: targets, loss and gradient in some ten kernels.

A compiler finds none of the rewrites that lead here; what it adds is fusion. It compiles once for
every shape, configuration and number of tokens, which takes seconds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from . import telemetry
from .analytic import given_slope, loss_and_slope, of_targets
from .batched import Preference, accumulating, clean, nothing
from .config import Lods, LossConfig
from .layout import Layout, layout
from .packed import Memory
from .targets import Targets, make_targets

Step = tuple[Tensor, Tensor, Tensor, "Tensor | None", "Memory | None"]
"""Loss, its gradient, pairs counted, telemetry, memory."""

SMALLEST = 16_384
"""Entries below which compiling is refused: seconds for what takes a millisecond (CPU, measured)."""


def compiled(
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
    """The lens loss of `pairwise_preference_loss`; terms that are off by default stay eager."""
    plan = layout(sample_of_context, config, scores.device)
    if plan.pairs == 0:
        return nothing(scores, config)
    arguments = (positions, lods, token_losses, tokens, plan, geometry, config)
    if config.has_extra_terms:
        return of_targets(scores, _targets()(scores.detach(), *arguments), geometry, config, memory)
    loss, slope, counted, report, kept = _step()(scores.detach(), *arguments)
    return Preference(given_slope(loss, scores, slope), counted, report, kept)


def why_not(scores: Tensor, *others: Any) -> str | None:
    """Why compiling makes no sense or is not possible here; None where it is."""
    if scores.numel() < SMALLEST:
        return f"fewer than {SMALLEST} entries: compiling takes longer than it saves"
    if scores.device.type == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "no C++ compiler on this machine"
    return None


@cache
def _step() -> Callable[..., Step]:
    return torch.compile(_whole, dynamic=False, fullgraph=True)


@cache
def _targets() -> Callable[..., Targets]:
    return torch.compile(_wanted, dynamic=False, fullgraph=True)


def _wanted(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    tokens: int,
    plan: Layout,
    geometry: Lods,
    config: LossConfig,
) -> Targets:
    dtype = accumulating(scores)
    return make_targets(positions, lods, token_losses, tokens, plan, geometry, config, dtype)


def _whole(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    tokens: int,
    plan: Layout,
    geometry: Lods,
    config: LossConfig,
) -> Step:
    targets = _wanted(scores, positions, lods, token_losses, tokens, plan, geometry, config)
    real = clean(scores, targets)
    rows = real.index_select(0, targets.worse)
    loss, slope = loss_and_slope(real, rows, targets, geometry, config)
    report = telemetry.measure(real, rows, targets) if config.telemetry else None
    kept = Memory(real, targets.worse, targets.share) if config.keep_scores else None
    # what else the targets hold is not returned, so that the compiler need not write it down
    return loss, slope.to(scores.dtype), targets.counted, report, kept
