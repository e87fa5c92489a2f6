"""The generation of the report: targets made on the host, then one batch of terms per sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .config import Lods, LossConfig
from .contexts import Context, Sample
from .history import Key, LossResult, ScoreHistory
from .pairs import choose_pairs, read_lookup
from .terms import (
    SMALLEST_STRENGTH,
    asked_and_given,
    balance,
    extra_terms,
    finish,
    measure,
    preference,
    spans,
)


@dataclass
class Rows:
    """The counted pairs of one sample, one list entry per pair; tensors [W] on the device."""

    keys: list[Key] = field(default_factory=list)
    deltas: list[float] = field(default_factory=list)
    scores: list[Tensor] = field(default_factory=list)
    targets: list[Tensor] = field(default_factory=list)
    masks: list[Tensor] = field(default_factory=list)
    spans: list[Tensor] = field(default_factory=list)


def host_targets(
    lookup: dict[int, int], positions: Tensor, levels: Tensor, strength: float, lods: Lods
) -> Tensor:
    """Signed target per entry, 0 for none, from CPU tensors [W] into a CPU tensor [W]."""
    target = torch.zeros(len(positions), dtype=torch.float64)
    if strength <= 0:
        return target
    wanted = torch.tensor(
        [
            lookup.get(position, level)
            for position, level in zip(positions.tolist(), levels.tolist(), strict=True)
        ]
    )
    target[wanted < levels] = strength
    coarser = (wanted > levels) & (levels < lods.top)
    for index in coarser.nonzero().flatten().tolist():
        level = levels[index]
        size = lods.span(int(level) + 1)
        siblings = (levels == level) & (positions // size == positions[index] // size)
        target[siblings] = -strength
    return target


def collect(
    number: int, sample: Sample, scores: Sequence[Tensor], lods: Lods, config: LossConfig
) -> Rows:
    """Targets of all pairs of one sample that have any, copied to the scores' device."""
    rows = Rows()
    losses = [float(context.token_loss) for context in sample]
    lookups: dict[int, dict[int, int]] = {}
    for pair in choose_pairs(losses, config):
        if pair.better not in lookups:
            lookups[pair.better] = read_lookup(sample[pair.better])
        worse: Context = sample[pair.worse]
        score = scores[pair.worse]
        positions, levels = worse.positions[0].cpu(), worse.lods[0].cpu()
        strength = math.tanh(pair.delta)
        target = host_targets(lookups[pair.better], positions, levels, strength, lods)
        mask = target != 0
        if not mask.any():
            continue
        rows.keys.append((number, pair.worse))
        rows.deltas.append(pair.delta)
        rows.scores.append(score)
        rows.targets.append(target.to(score.dtype).to(score.device))
        rows.masks.append(mask.to(score.device))
        rows.spans.append(spans(levels, lods, score).to(score.device))
    return rows


def preference_terms(scores: Tensor, targets: Tensor, masks: Tensor, config: LossConfig) -> Tensor:
    """Mean penalty per pair [P], from scores already scaled by the pair's difference."""
    penalty = preference(targets.sign() * scores, config)
    penalty = penalty * targets.abs().clamp(min=SMALLEST_STRENGTH)
    penalty = torch.where(targets < 0, penalty * config.collapse_weight, penalty)
    return torch.where(masks, penalty, 0.0).sum(-1) / masks.sum(-1)


def rank_terms(rows: Rows, config: LossConfig) -> Tensor:
    """Per pair [P]: entries to expand should score higher on average than those to collapse."""
    terms = []
    for score, target in zip(rows.scores, rows.targets, strict=True):
        up, down = score[target > 0], score[target < 0]
        if len(up) and len(down):
            terms.append(F.relu(config.margin - (up.mean() - down.mean())))
        else:
            terms.append(score.new_zeros(()))
    return torch.stack(terms)


def sample_totals(rows: Rows, config: LossConfig) -> Tensor:
    """The losses of a sample's pairs [P], without the terms that are off by default."""
    scores = pad_sequence(rows.scores, batch_first=True)
    targets = pad_sequence(rows.targets, batch_first=True)
    masks = pad_sequence(rows.masks, batch_first=True)
    deltas = torch.tensor(rows.deltas, dtype=scores.dtype).to(scores.device)
    scale = deltas.clamp(min=1.0).unsqueeze(-1) / config.temperature
    totals = preference_terms(scores * scale, targets, masks, config)
    if config.rank_weight > 0:
        totals = totals + config.rank_weight * rank_terms(rows, config)
    if config.budget_weight > 0:
        span = pad_sequence(rows.spans, batch_first=True) * masks
        totals = totals + config.budget_weight * balance(*asked_and_given(scores, span))
    return totals


def observe(rows: Rows) -> list[dict[str, float]]:
    """Telemetry of each pair of a sample."""
    return [
        measure(score, score[mask], target[mask])
        for score, target, mask in zip(rows.scores, rows.targets, rows.masks, strict=True)
    ]


def slow_dict(
    samples: Sequence[Sample],
    scores: Sequence[Sequence[Tensor]],
    lods: Lods,
    config: LossConfig,
    history: ScoreHistory,
) -> LossResult:
    """The lens loss, with a dictionary and host targets."""
    totals: list[Tensor] = []
    telemetry: list[dict[str, float]] = []
    for number, sample in enumerate(samples):
        rows = collect(number, sample, scores[number], lods, config)
        if not rows.keys:
            continue
        losses = list(sample_totals(rows, config))
        for index, (key, score) in enumerate(zip(rows.keys, rows.scores, strict=True)):
            if config.has_extra_terms:
                mask, levels = rows.masks[index], sample[key[1]].lods[0]
                extra = extra_terms(score, mask, levels, key, lods, config, history)
                losses[index] = losses[index] + extra
            if config.keep_scores:
                history.keep(key, score)
        if config.telemetry:
            telemetry += observe(rows)
        totals += losses
    history.next_step(config.smoothed_budget_decay)
    return finish(totals, telemetry, samples[0][0].positions.device)
