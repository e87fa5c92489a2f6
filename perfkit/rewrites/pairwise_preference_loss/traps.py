"""What looks like a rewrite and is none; each was met or recommended somewhere. Never use these."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from .analytic import of_targets
from .batched import Preference, accumulating, nothing
from .batched import of_targets as by_autograd
from .choice import Chosen, choose
from .config import Lods, LossConfig
from .layout import layout
from .pairs import choose_pairs
from .targets import Targets, make_targets, targets_of


def zero_shortcut(scores: Tensor, *others: Any) -> Preference:
    """Meets every latency goal; a public repository shipped it. The objective is gone."""
    zero = torch.zeros((), dtype=scores.dtype, device=scores.device)
    return Preference(zero, zero, torch.zeros(5))


def without_derivative(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
    geometry: Lods,
    config: LossConfig,
    memory: Any = None,
) -> Preference:
    """Histograms by `bincount(weights=)`, which needs detached weights: two terms stop teaching."""
    targets = _targets(
        scores, positions, lods, token_losses, sample_of_context, tokens, geometry, config
    )
    if targets is None:
        return nothing(scores, config)
    only_values = by_autograd(scores.detach(), targets, geometry, config)
    bare = replace(config, rank_weight=0.0, budget_weight=0.0)
    teaching = by_autograd(scores, targets, geometry, bare).loss
    loss = teaching + (only_values.loss - teaching).detach()
    return Preference(loss, targets.counted, only_values.telemetry)


def packed_keys(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
    geometry: Lods,
    config: LossConfig,
    memory: Any = None,
) -> Preference:
    """One sort by difference plus a million for the primary ones: close pairs change places."""
    better, worse, delta, start = [], [], [], 0
    every = replace(config, max_pairs=1_000_000)
    for size in (len(list(group)) for _, group in groupby(sample_of_context)):
        losses = token_losses[start : start + size].tolist()
        pairs = choose_pairs(losses, every)
        best = pairs[0].better if pairs else 0
        pairs.sort(key=lambda pair: (pair.better, pair.worse))
        keys = torch.tensor([pair.delta + 1e6 * (pair.better == best) for pair in pairs])
        kept = keys.float().argsort(descending=True, stable=False)[: config.max_pairs].tolist()
        better += [start + pairs[index].better for index in kept]
        worse += [start + pairs[index].worse for index in kept]
        delta += [pairs[index].delta for index in kept]
        start += size
    if not better:
        return nothing(scores, config)
    chosen = Chosen(torch.tensor(better), torch.tensor(worse), torch.tensor(delta).double())
    dtype = accumulating(scores)
    targets = targets_of(chosen, positions, lods, tokens, geometry, config, dtype)
    return of_targets(scores, targets, geometry, config)


def narrow_counters(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
    geometry: Lods,
    config: LossConfig,
    memory: Any = None,
) -> Preference:
    """Entries counted one by one in bfloat16, which ends at 256."""
    targets = _targets(
        scores, positions, lods, token_losses, sample_of_context, tokens, geometry, config
    )
    if targets is None:
        return nothing(scores, config)
    counted = torch.zeros(len(targets.sign), dtype=torch.bfloat16)
    for entry in (targets.sign != 0).bfloat16().unbind(1):
        counted = counted + entry
    wrong = targets.entries / counted.to(targets.entries.dtype).clamp(min=1)
    skewed = replace(targets, weight=targets.weight * wrong.unsqueeze(1))
    return of_targets(scores, skewed, geometry, config)


def binary_search(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
    geometry: Lods,
    config: LossConfig,
    memory: Any = None,
) -> Preference:
    """Levels looked up by `searchsorted`: silently wrong where entries are not in order."""
    plan = layout(sample_of_context, config, scores.device)
    if plan.pairs == 0:
        return nothing(scores, config)
    chosen = choose(token_losses, plan)
    targets = targets_of(
        chosen, positions, lods, tokens, geometry, config, accumulating(scores), _searched
    )
    return of_targets(scores, targets, geometry, config)


def _searched(chosen: Chosen, places: Tensor, levels: Tensor, tokens: int) -> Tensor:
    there, wanted = places[chosen.better], places[chosen.worse]
    found = torch.searchsorted(there, wanted).clamp(max=there.shape[1] - 1)
    hit = there.gather(1, found) == wanted
    return torch.where(hit, levels[chosen.better].gather(1, found), -1)


def _targets(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
    geometry: Lods,
    config: LossConfig,
) -> Targets | None:
    plan = layout(sample_of_context, config, scores.device)
    if plan.pairs == 0:
        return None
    dtype = accumulating(scores)
    return make_targets(positions, lods, token_losses, tokens, plan, geometry, config, dtype)
