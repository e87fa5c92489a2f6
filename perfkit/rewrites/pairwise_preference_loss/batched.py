"""All pairs of all samples in one chain of operators, differentiated by autograd.

Sums over the entries of a pair go through histograms by kind and level, made by `scatter_add`:
`bincount` with weights has no derivative and waits for the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from . import telemetry
from .config import Lods, LossConfig, Shape
from .layout import layout
from .packed import Memory
from .targets import Targets, make_targets
from .terms import BUDGET_EPSILON, balance, coverage


@dataclass(frozen=True)
class Preference:
    """What a packed form gives, all of it on the device.

    Attributes:
        loss: 0-d, in the accumulating type.
        pairs: how many pairs count, 0-d.
        telemetry: see `telemetry.NAMES`; None where it was not asked for.
        memory: what the next step needs; None where scores are not kept.
    """

    loss: Tensor
    pairs: Tensor
    telemetry: Tensor | None = None
    memory: Memory | None = None


def accumulating(scores: Tensor) -> torch.dtype:
    """float64 for float64, float32 for everything narrower: bfloat16 cannot count to 300."""
    return torch.float64 if scores.dtype == torch.float64 else torch.float32


def batched(
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
    """The lens loss of `pairwise_preference_loss`, by autograd."""
    plan = layout(sample_of_context, config, scores.device)
    dtype = accumulating(scores)
    if plan.pairs == 0:
        return nothing(scores, config)
    targets = make_targets(positions, lods, token_losses, tokens, plan, geometry, config, dtype)
    return of_targets(scores, targets, geometry, config, memory)


def nothing(scores: Tensor, config: LossConfig) -> Preference:
    """Without candidates: a zero that has no gradient, as found."""
    zero = torch.zeros((), dtype=accumulating(scores), device=scores.device)
    return Preference(zero, zero, telemetry.empty(zero) if config.telemetry else None)


def of_targets(
    scores: Tensor,
    targets: Targets,
    geometry: Lods,
    config: LossConfig,
    memory: Memory | None = None,
) -> Preference:
    """The loss of scores [N, W] against targets that are known."""
    real = clean(scores, targets)
    rows = real.index_select(0, targets.worse)
    loss = (penalty(rows * targets.reach, config) * targets.weight).sum()
    if config.rank_weight > 0 or config.budget_weight > 0:
        loss = loss + (_pair_terms(rows, targets, geometry, config) * targets.share).sum()
    loss, budget = add_extra_terms(loss, real, targets, geometry, config, memory)
    return finished(loss, real.detach(), rows.detach(), targets, config, budget)


def clean(scores: Tensor, targets: Targets) -> Tensor:
    """Scores in the accumulating type, 0 in the padding whatever stood there."""
    return scores.to(targets.sign.dtype).masked_fill(targets.padding, 0.0)


def penalty(aligned: Tensor, config: LossConfig) -> Tensor:
    """As `terms.preference`."""
    if config.shape is Shape.HINGE:
        return F.relu(config.margin - aligned)
    return F.softplus(-aligned)


def histogram(values: Tensor, targets: Targets, geometry: Lods) -> Tensor:
    """Sums of [P, W] by kind and level [P, 2, levels]."""
    levels = geometry.top + 1
    blank = values.new_zeros(len(values), 2 * levels + 1)
    sums = blank.scatter_add(1, targets.bins, values)
    return sums[:, : 2 * levels].view(-1, 2, levels)


def spans_of_levels(geometry: Lods, like: Tensor) -> Tensor:
    """block ** level for every level, made on the device."""
    return geometry.block ** torch.arange(geometry.top + 1, device=like.device, dtype=like.dtype)


def _pair_terms(rows: Tensor, targets: Targets, geometry: Lods, config: LossConfig) -> Tensor:
    """Rank and budget terms of every pair, weighted [P]."""
    sums = histogram(rows, targets, geometry)
    terms = []
    if config.rank_weight > 0:
        terms.append(config.rank_weight * rank_terms(sums, targets, config))
    if config.budget_weight > 0:
        span = spans_of_levels(geometry, rows)
        net = (sums.sum(1) * span).sum(1)
        gross = (histogram(rows.abs(), targets, geometry).sum(1) * span).sum(1)
        terms.append(config.budget_weight * (net / (gross + BUDGET_EPSILON)).square())
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]


def rank_terms(sums: Tensor, targets: Targets, config: LossConfig) -> Tensor:
    """Mean score of entries to expand against that of entries to collapse, where both exist [P]."""
    up, down = (sums.sum(2) / targets.kinds).unbind(1)
    return F.relu(config.margin - (up - down)) * targets.both


def add_extra_terms(
    loss: Tensor,
    real: Tensor,
    targets: Targets,
    geometry: Lods,
    config: LossConfig,
    memory: Memory | None,
) -> tuple[Tensor, Tensor | None]:
    """The loss with the terms that are off by default, and the smoothed budget for the next step."""
    if config.kl_weight > 0 and memory is not None:
        moved = _drift(real, memory, targets).index_select(0, targets.worse)
        loss = loss + config.kl_weight * (moved * targets.share).sum()
    if config.coverage_weight > 0:
        entries = (~targets.padding).sum(1).to(real.dtype)
        change = coverage(real, targets.lods, geometry) * (real.shape[1] / entries).square()
        chosen = change.index_select(0, targets.worse)
        loss = loss + config.coverage_weight * (chosen * targets.share).sum()
    if config.smoothed_budget_weight > 0:
        past = memory.budget if memory is not None else None
        now = _budgets(real, targets, geometry)
        term, past = _smoothed(now, past, targets, config)
        return loss + config.smoothed_budget_weight * term, past
    return loss, None


def _drift(real: Tensor, memory: Memory, targets: Targets) -> Tensor:
    """KL divergence of every context's scores from those of the step before [N], 0 without any."""
    hidden = targets.padding
    old = memory.scores.to(real.dtype).masked_fill(hidden, float("-inf")).log_softmax(1)
    new = real.masked_fill(hidden, float("-inf")).log_softmax(1)
    apart = torch.where(hidden, 0.0, old - new.masked_fill(hidden, 0.0))
    return torch.where(memory.kept, (old.exp() * apart).sum(1), 0.0)


def _budgets(real: Tensor, targets: Targets, geometry: Lods) -> Tensor:
    """Tokens asked for and given up by every pair [2, P]."""
    rows = real.index_select(0, targets.worse)
    span = spans_of_levels(geometry, rows)
    asked = (histogram(F.relu(rows), targets, geometry).sum(1) * span).sum(1)
    given = (histogram(F.relu(-rows), targets, geometry).sum(1) * span).sum(1)
    return torch.stack([asked, given])


def _smoothed(
    now: Tensor, past: Tensor | None, targets: Targets, config: LossConfig
) -> tuple[Tensor, Tensor]:
    decay = config.smoothed_budget_decay
    mean = (now.detach() * targets.share).sum(1)
    before = now if past is None else past.to(now.dtype).unsqueeze(1)
    mixed = decay * before + (1 - decay) * now
    term = (balance(mixed[0], mixed[1]) * targets.share).sum()
    if past is None:
        return term, mean
    after = decay * past.to(now.dtype) + (1 - decay) * mean
    return term, torch.where(targets.counted > 0, after, past.to(now.dtype))


def finished(
    loss: Tensor,
    real: Tensor,
    rows: Tensor,
    targets: Targets,
    config: LossConfig,
    budget: Tensor | None,
) -> Preference:
    """Loss, telemetry and memory together.

    Args:
        real: cleaned scores [N, W], without gradient.
        rows: those of each pair's worse context [P, W].
    """
    report = telemetry.measure(real, rows, targets) if config.telemetry else None
    memory = None
    if config.keep_scores or budget is not None:
        share = targets.share if config.keep_scores else torch.zeros_like(targets.share)
        memory = Memory(real, targets.worse, share, budget)
    return Preference(loss, targets.counted, report, memory)
