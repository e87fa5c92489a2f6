"""The oldest generation: pair by pair, and targets written into device tensors one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Lods, LossConfig
from .contexts import Context, Sample
from .history import LossResult, ScoreHistory
from .pairs import choose_pairs, read_lookup
from .terms import (
    SMALLEST_STRENGTH,
    asked_and_given,
    balance,
    extra_terms,
    finish,
    measure,
    preference,
)


@dataclass
class Targets:
    """Per entry of a context: signed strength, whether there is one, its weight, and its tokens."""

    value: Tensor
    mask: Tensor
    weight: Tensor
    span: Tensor

    def write(self, index: int, value: float, weight: float) -> None:
        """Give one entry a target."""
        self.value[index] = value
        self.mask[index] = True
        self.weight[index] = weight


def write_targets(
    lookup: dict[int, int], worse: Context, strength: float, lods: Lods, config: LossConfig
) -> Targets:
    """Compare each entry of the worse context with the better one's level at its position."""
    positions, levels = worse.positions[0].cpu(), worse.lods[0].cpu()
    device, width = worse.positions.device, len(positions)
    targets = Targets(
        value=torch.zeros(width, device=device, dtype=torch.float64),
        mask=torch.zeros(width, device=device, dtype=torch.bool),
        weight=torch.ones(width, device=device, dtype=torch.float64),
        span=torch.ones(width, device=device, dtype=torch.float64),
    )
    if strength <= 0:
        return targets
    coarser = []
    for index in range(width):
        position, level = int(positions[index]), int(levels[index])
        targets.span[index] = lods.span(level)
        shown = lookup.get(position, level)
        if shown < level:
            targets.write(index, strength, 1.0)
        elif shown > level and level < lods.top:
            coarser.append((level, lods.parent(position, level)))
    for level, block in coarser:
        for index in range(width):
            if int(levels[index]) != level:
                continue
            if lods.parent(int(positions[index]), level) == block:
                targets.write(index, -strength, config.collapse_weight)
    return targets


def rank_term(scores: Tensor, target: Tensor, config: LossConfig) -> Tensor:
    """Entries to expand should score higher on average than entries to collapse."""
    up, down = target > 0, target < 0
    if up.any() and down.any():
        return F.relu(config.margin - (scores[up].mean() - scores[down].mean()))
    return scores.new_zeros(())


def pair_total(score: Tensor, targets: Targets, delta: float, config: LossConfig) -> Tensor:
    """The loss of one pair over the entries that have a target."""
    chosen = score[targets.mask]
    target = targets.value[targets.mask].to(score.dtype)
    weight = targets.weight[targets.mask].to(score.dtype)
    scale = max(1.0, delta) / config.temperature
    strength = target.abs().clamp(min=SMALLEST_STRENGTH)
    total = (preference(target.sign() * chosen * scale, config) * strength * weight).mean()
    if config.rank_weight > 0:
        total = total + config.rank_weight * rank_term(chosen, target, config)
    if config.budget_weight > 0:
        asked, given = asked_and_given(chosen, targets.span[targets.mask].to(score.dtype))
        total = total + config.budget_weight * balance(asked, given)
    return total


def slow_elem(
    samples: Sequence[Sample],
    scores: Sequence[Sequence[Tensor]],
    lods: Lods,
    config: LossConfig,
    history: ScoreHistory,
) -> LossResult:
    """The lens loss, element by element."""
    totals: list[Tensor] = []
    telemetry: list[dict[str, float]] = []
    for number, sample in enumerate(samples):
        losses = [float(context.token_loss) for context in sample]
        lookups: dict[int, dict[int, int]] = {}
        for pair in choose_pairs(losses, config):
            if pair.better not in lookups:
                lookups[pair.better] = read_lookup(sample[pair.better])
            worse, score = sample[pair.worse], scores[number][pair.worse]
            strength = math.tanh(pair.delta)
            targets = write_targets(lookups[pair.better], worse, strength, lods, config)
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
