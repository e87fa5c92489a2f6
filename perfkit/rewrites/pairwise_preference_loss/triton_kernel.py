"""The lens loss as two Triton kernels for CUDA, with the interface of the other forms.

The first writes every context's level map. In the second one program takes one pair: it looks the
levels up, marks groups of siblings in a scratch row of its own, and forms total, gradient row and
telemetry sums with the pair's entries in registers. How many pairs count is known only after all
programs; the mean over them and the way back to contexts are two operators of torch.

Levels, groups and strengths are as in `targets`; choosing pairs is left to `choice`. The smoothed
budget, drift and coverage go through torch when asked for.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from perfkit.pretend import is_active

from .analytic import given_slope, of_targets
from .batched import Preference, nothing
from .choice import choose
from .config import Lods, LossConfig, Shape
from .layout import layout
from .packed import Memory
from .targets import make_targets, sibling_groups

WIDEST = 16_384
"""Entries of a context that one program holds; more would spill."""
_COLUMNS = 7
"""Per pair: total, entries with a target, agreeing, magnitude, spread, correlation, unused."""


def triton_loss(
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
    """The lens loss of `pairwise_preference_loss`; see `why_not` for where it runs."""
    plan = layout(sample_of_context, config, scores.device)
    if plan.pairs == 0:
        return nothing(scores, config)
    if config.has_extra_terms:
        targets = make_targets(
            positions, lods, token_losses, tokens, plan, geometry, config, torch.float32
        )
        return of_targets(scores, targets, geometry, config, memory)
    chosen = choose(token_losses, plan)
    levels = lods.to(torch.int8)
    places = positions.masked_fill(levels < 0, tokens)
    groups = sibling_groups(places, levels, tokens, geometry).to(torch.int32)
    rows = _Rows(scores.detach(), places.to(torch.int32), levels, groups)
    sums, slope = _launch(rows, chosen.better, chosen.worse, chosen.delta, tokens, geometry, config)
    counts = sums[:, 1] > 0
    counted = counts.sum(dtype=torch.float32)
    share = counts / counted.clamp(min=1)
    whole = torch.zeros_like(scores, dtype=torch.float32)
    whole.index_add_(0, chosen.worse, slope * share.unsqueeze(1))
    loss = given_slope((sums[:, 0] * share).sum(), scores, whole.to(scores.dtype))
    report = None
    if config.telemetry:
        means = (sums[:, 2:6] * share.unsqueeze(1)).sum(0)
        report = torch.cat([counted.view(1), means])
    kept = Memory(scores.detach(), chosen.worse, share) if config.keep_scores else None
    return Preference(loss, counted, report, kept)


def why_not(scores: Tensor, *others: Any) -> str | None:
    """Why the kernel cannot run on these inputs here; None where it can."""
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    if is_active():
        return "a pretend device runs no kernels"
    if scores.shape[1] > WIDEST:
        return f"contexts of more than {WIDEST} entries"
    if scores.device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        return "the kernel needs CUDA (or TRITON_INTERPRET=1)"
    return None


@dataclass(frozen=True)
class _Rows:
    """Contexts as the kernels read them: positions and groups int32, levels int8, all [N, W]."""

    scores: Tensor
    positions: Tensor
    levels: Tensor
    groups: Tensor


def _launch(
    rows: _Rows,
    better: Tensor,
    worse: Tensor,
    delta: Tensor,
    tokens: int,
    geometry: Lods,
    config: LossConfig,
) -> tuple[Tensor, Tensor]:
    """Sums per pair [P, 7] and gradient of each pair's total [P, W], float32."""
    from . import _triton  # only here, so that triton is needed only by those who have it

    (contexts, width), pairs = rows.scores.shape, len(better)
    device, groups = rows.scores.device, int(geometry.top * (tokens // geometry.block + 1))
    block = 1 << max(width - 1, 15).bit_length()
    shown = torch.full((contexts, tokens + 1), -1, dtype=torch.int8, device=device)
    flags = torch.empty(pairs, groups + 2, dtype=torch.int32, device=device)
    sums = torch.empty(pairs, _COLUMNS, dtype=torch.float32, device=device)
    slope = torch.empty(pairs, width, dtype=torch.float32, device=device)
    _triton.write_levels[(contexts,)](
        rows.positions, rows.levels, shown, width, tokens + 1, BLOCK=block
    )
    strength = torch.stack(
        [delta.tanh().clamp(min=1e-6), delta.clamp(min=1.0) / config.temperature]
    )
    _triton.pair_loss[(pairs,)](
        rows.scores.contiguous(),
        rows.positions,
        rows.levels,
        rows.groups,
        shown,
        torch.where(delta != 0, better, worse),  # a tie is compared with itself: nothing is asked
        worse,
        strength.float(),
        flags,
        sums,
        slope,
        pairs,
        width,
        tokens + 1,
        groups,
        config.margin,
        config.collapse_weight,
        config.rank_weight,
        config.budget_weight,
        TOP=geometry.top,
        SPAN=geometry.block,
        HINGE=config.shape is Shape.HINGE,
        BLOCK=block,
        num_warps=8 if block >= 2048 else 4,
    )
    return sums, slope
