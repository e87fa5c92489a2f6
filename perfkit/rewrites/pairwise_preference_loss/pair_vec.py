"""What a first fix usually gives: targets of a pair made on the device, pair after pair.

The Python loops over entries are gone; the loop over pairs, the reads of the losses and the boolean
masks are still there, and with them hundreds of waits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .config import Lods, LossConfig
from .contexts import Context, Sample
from .history import LossResult, ScoreHistory
from .pairs import choose_pairs
from .slow_elem import Targets, pair_total
from .terms import extra_terms, finish, measure, spans


def vector_targets(
    better: Context, worse: Context, strength: float, lods: Lods, config: LossConfig
) -> Targets:
    """As `slow_elem.write_targets`, with tensors for loops."""
    positions, levels = worse.positions[0], worse.lods[0]
    lookup = torch.full((better.end + worse.end,), -1, device=levels.device)
    lookup[better.positions[0]] = better.lods[0]
    shown = lookup[positions]
    expand = (shown >= 0) & (shown < levels)
    coarser = (shown > levels) & (levels < lods.top)
    parents = positions // lods.block ** (levels + 1)
    groups = parents * (lods.top + 1) + levels
    collapse = torch.isin(groups, groups[coarser])
    mask = (expand | collapse) & (not strength <= 0)  # also for NaN, which must show
    one = torch.ones((), dtype=torch.float64, device=levels.device)
    value = torch.where(collapse, -strength * one, strength * one) * mask
    weight = torch.where(collapse, config.collapse_weight * one, one)
    return Targets(value, mask, weight, spans(levels, lods, one))


def pair_vec(
    samples: Sequence[Sample],
    scores: Sequence[Sequence[Tensor]],
    lods: Lods,
    config: LossConfig,
    history: ScoreHistory,
) -> LossResult:
    """The lens loss, one chain of operators per pair."""
    totals: list[Tensor] = []
    telemetry: list[dict[str, float]] = []
    for number, sample in enumerate(samples):
        losses = [float(context.token_loss) for context in sample]
        for pair in choose_pairs(losses, config):
            worse, score = sample[pair.worse], scores[number][pair.worse]
            strength = math.tanh(pair.delta)
            targets = vector_targets(sample[pair.better], worse, strength, lods, config)
            if not targets.mask.any():
                continue
            total = pair_total(score, targets, pair.delta, config)
            key = (number, pair.worse)
            if config.has_extra_terms:
                levels = worse.lods[0]
                total = total + extra_terms(score, targets.mask, levels, key, lods, config, history)
            if config.keep_scores:
                history.keep(key, score)
            if config.telemetry:
                masked = targets.value[targets.mask].to(score.dtype)
                telemetry.append(measure(score, score[targets.mask], masked))
            totals.append(total)
    history.next_step(config.smoothed_budget_decay)
    return finish(totals, telemetry, samples[0][0].positions.device)
