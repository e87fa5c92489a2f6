"""How scores and targets agree, as one vector that stays on the device until someone logs it."""

from __future__ import annotations

import torch
from torch import Tensor

from .targets import Targets

NAMES = ("agreement", "magnitude", "spread", "correlation")
"""Means over the counted pairs, after the number of those pairs, which is the first element."""


def empty(like: Tensor) -> Tensor:
    """No pairs."""
    return like.new_zeros(1 + len(NAMES))


def measure(scores: Tensor, rows: Tensor, targets: Targets) -> Tensor:
    """Number of counted pairs, then `NAMES` [5].

    Args:
        scores: [N, W], 0 in the padding.
        rows: scores of each pair's worse context [P, W].
    """
    agreement, correlation = _with_targets(rows, targets)
    per_context = torch.stack(_alone(scores, targets), dim=1)
    magnitude, spread = per_context.index_select(0, targets.worse).unbind(1)
    per_pair = torch.stack([agreement, magnitude, spread, correlation])
    means = per_pair @ targets.share
    return torch.cat([targets.counted.view(1), means])


def _alone(scores: Tensor, targets: Targets) -> list[Tensor]:
    """Mean size and standard deviation of every context's scores [N], [N]."""
    size = scores.shape[1] - targets.padding.sum(1)
    mean = scores.sum(1) / size
    away = (scores - mean.unsqueeze(1)).masked_fill(targets.padding, 0.0)
    return [scores.abs().sum(1) / size, (away.square().sum(1) / size).sqrt()]


def _with_targets(rows: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """Agreement and correlation of every pair [P], [P].

    The strength of a pair is one number, which a correlation does not depend on.
    """
    sign = targets.sign
    entries = targets.entries
    agreeing = (rows * sign > 0).sum(1)
    asked = sign.abs()
    mean = ((rows * asked).sum(1) / entries).unsqueeze(1)
    lean = targets.lean.unsqueeze(1)
    away = (rows - mean) * asked
    # centred as well, so that targets of one kind give exactly 0 and not a ratio of roundings
    together = (away * (sign - lean)).sum(1)
    spread = away.square().sum(1) * (1 - lean.square()).squeeze(1) * entries
    return agreeing / entries, together / spread.sqrt().clamp(min=1e-12)


def read(vector: Tensor) -> tuple[int, dict[str, float]]:
    """Pairs and telemetry on the host: the one wait, for steps that log."""
    pairs, *values = vector.tolist()
    return round(pairs), dict(zip(NAMES, values, strict=True)) if pairs else {}
