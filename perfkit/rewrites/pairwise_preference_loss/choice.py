"""Which contexts are compared, chosen on the device: no loss is read by the host.

Two stable sorts replace the host's: of the losses within a sample, and of the differences within
each kind of pair. Packing kind and difference into one number would save one of them and reorder
pairs whose differences are close. Sorting is done in float64, on some tens of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .layout import Layout


@dataclass(frozen=True)
class Chosen:
    """Rows of the better and the worse context [P], and their difference in loss, float64 [P]."""

    better: Tensor
    worse: Tensor
    delta: Tensor


def choose(token_losses: Tensor, layout: Layout) -> Chosen:
    """The pairs that `pairs.choose_pairs` chooses on the host, in another order."""
    losses = token_losses.detach().double()
    if layout.every:
        delta = losses.index_select(0, layout.second) - losses.index_select(0, layout.first)
        turned = delta < 0
        better = torch.where(turned, layout.second, layout.first)
        worse = torch.where(turned, layout.first, layout.second)
        return Chosen(better, worse, delta.abs())
    return _sorted(losses, layout)


def _sorted(losses: Tensor, layout: Layout) -> Chosen:
    nothing = losses.new_full((1,), float("nan"))  # sorts after every number, infinity included
    padded = torch.cat([losses, nothing]).index_select(0, layout.slots)
    ranked, order = padded.view(-1, layout.width).sort(dim=1, stable=True)
    rows = layout.slots.view(-1, layout.width).gather(1, order)
    gaps = ranked.index_select(1, layout.second) - ranked.index_select(1, layout.first)
    gaps = torch.where(layout.valid, gaps, float("-inf"))
    primary = layout.width - 1
    best = gaps[:, :primary].sort(dim=1, descending=True, stable=True).indices
    rest = gaps[:, primary:].sort(dim=1, descending=True, stable=True).indices + primary
    by_gap = torch.cat([best, rest], dim=1)
    column = by_gap[layout.sample, layout.place]
    better = rows[layout.sample, layout.first[column]]
    worse = rows[layout.sample, layout.second[column]]
    return Chosen(better, worse, gaps[layout.sample, column])
