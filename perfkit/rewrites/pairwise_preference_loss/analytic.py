"""The batched loss with its gradient written out and computed in the forward.

The forward then needs no graph, the backward is one multiplication, and all of it may be compiled
as one function. Gradients of gradients do not exist.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .batched import (
    Preference,
    accumulating,
    add_extra_terms,
    clean,
    finished,
    histogram,
    nothing,
    penalty,
    rank_terms,
    spans_of_levels,
)
from .config import Lods, LossConfig, Shape
from .layout import layout
from .packed import Memory
from .targets import Targets, make_targets
from .terms import BUDGET_EPSILON


def analytic(
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
    """The lens loss of `pairwise_preference_loss`; terms that are off by default use autograd."""
    plan = layout(sample_of_context, config, scores.device)
    if plan.pairs == 0:
        return nothing(scores, config)
    dtype = accumulating(scores)
    targets = make_targets(positions, lods, token_losses, tokens, plan, geometry, config, dtype)
    return of_targets(scores, targets, geometry, config, memory)


def of_targets(
    scores: Tensor,
    targets: Targets,
    geometry: Lods,
    config: LossConfig,
    memory: Memory | None = None,
) -> Preference:
    """The loss of scores [N, W] against targets that are known."""
    real = clean(scores.detach(), targets)
    rows = real.index_select(0, targets.worse)
    loss, slope = loss_and_slope(real, rows, targets, geometry, config)
    loss, budget = given_slope(loss, scores, slope.to(scores.dtype)), None
    if config.has_extra_terms:
        extra = clean(scores, targets)
        loss, budget = add_extra_terms(loss, extra, targets, geometry, config, memory)
    return finished(loss, real, rows, targets, config, budget)


class _GivenSlope(torch.autograd.Function):
    """A number whose derivative is already known."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, loss: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return loss.view_as(loss)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        return slope * above.to(slope.dtype), None, None


def given_slope(loss: Tensor, scores: Tensor, slope: Tensor) -> Tensor:
    """`loss`, with `slope` as its gradient with respect to `scores`."""
    given: Tensor = _GivenSlope.apply(scores, loss, slope)
    return given


def loss_and_slope(
    real: Tensor, rows: Tensor, targets: Targets, geometry: Lods, config: LossConfig
) -> tuple[Tensor, Tensor]:
    """Loss and its gradient [N, W], without a graph; arguments as in `batched.finished`."""
    aligned = rows * targets.reach
    loss = (penalty(aligned, config) * targets.weight).sum()
    slope = _penalty_slope(aligned, config) * targets.weight * targets.reach
    if config.rank_weight > 0 or config.budget_weight > 0:
        terms, of_score, of_size = _pair_terms(rows, targets, geometry, config)
        loss = loss + terms
        slope = slope + of_score.gather(1, targets.bins)
        if of_size is not None:
            slope = slope + of_size.gather(1, targets.bins) * rows.sign()
    return loss, torch.zeros_like(real).index_add_(0, targets.worse, slope)


def _penalty_slope(aligned: Tensor, config: LossConfig) -> Tensor:
    if config.shape is Shape.HINGE:
        return -(aligned < config.margin).to(aligned.dtype)
    return -torch.sigmoid(-aligned)


def _pair_terms(
    rows: Tensor, targets: Targets, geometry: Lods, config: LossConfig
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Rank and budget terms summed, and their slopes by histogram bin [P, bins].

    The first slopes are of the score, the others of its absolute value.
    """
    sums = histogram(rows, targets, geometry)
    values, by_score, by_size = [], [], None
    if config.rank_weight > 0:
        rank = rank_terms(sums, targets, config)
        values.append(config.rank_weight * rank)
        pull = config.rank_weight * targets.share * (rank > 0)
        up, down = (pull.unsqueeze(1) / targets.kinds).unbind(1)
        by_score.append(torch.stack([-up, down], dim=1).unsqueeze(2).expand_as(sums))
    if config.budget_weight > 0:
        span = spans_of_levels(geometry, rows)
        net = (sums.sum(1) * span).sum(1)
        gross = (histogram(rows.abs(), targets, geometry).sum(1) * span).sum(1) + BUDGET_EPSILON
        lean = net / gross
        values.append(config.budget_weight * lean.square())
        push = (2 * config.budget_weight * targets.share * lean / gross).view(-1, 1, 1) * span
        by_score.append(push.expand_as(sums))
        by_size = _for_every_bin((-lean.view(-1, 1, 1) * push).expand_as(sums))
    value = values[0] if len(values) == 1 else values[0] + values[1]
    slope = by_score[0] if len(by_score) == 1 else by_score[0] + by_score[1]
    return (value * targets.share).sum(), _for_every_bin(slope), by_size


def _for_every_bin(by_kind_and_level: Tensor) -> Tensor:
    """[P, 2, levels] with a 0 behind for entries without a target."""
    return F.pad(by_kind_and_level.flatten(1), (0, 1))
