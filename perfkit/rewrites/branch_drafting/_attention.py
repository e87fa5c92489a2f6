"""Attention of several branches to a prefix that is there once, and to what each branch added."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def shared_prefix_attention(
    query: Tensor,
    prefix: tuple[Tensor, Tensor],
    own: tuple[Tensor, Tensor],
    lengths: Tensor | None = None,
) -> Tensor:
    """Attention over [prefix | own], the prefix's keys and values never copied per branch.

    All branches' queries meet the prefix in one matrix product of k * t rows; only the softmax joins
    the two parts.

    Args:
        query: [P, k, H, t, d] of the last t tokens of k branches of P sequences.
        prefix: keys and values [P, H, T, d], seen by every query.
        own: keys and values [P, k, H, s, d] of each branch, s >= t; causal: the query of token i of
            the last t sees the first s - t + i + 1 of them.
        lengths: int64 [P], entries of the prefix that count; None for all.

    Returns:
        [P, k, H, t, d].
    """
    p, k, h, t, d = query.shape
    s = own[0].shape[-2]
    query = query / math.sqrt(d)
    together = query.transpose(1, 2).reshape(p, h, k * t, d)
    to_prefix = together @ prefix[0].transpose(-2, -1)
    if lengths is not None:
        beyond = torch.arange(prefix[0].shape[-2], device=query.device) >= lengths.view(-1, 1)
        to_prefix = to_prefix.masked_fill(beyond.view(p, 1, 1, -1), -math.inf)
    to_prefix = to_prefix.view(p, h, k, t, -1).transpose(1, 2)
    to_own = query @ own[0].transpose(-2, -1)
    if t > 1:
        sees = torch.ones(t, s, dtype=torch.bool, device=query.device).tril(s - t)
        to_own = to_own.masked_fill(~sees, -math.inf)
    weights = torch.cat([to_prefix, to_own], -1).softmax(-1)
    on_prefix, on_own = weights.split([prefix[0].shape[-2], s], -1)
    from_prefix = on_prefix.transpose(1, 2).reshape(p, h, k * t, -1) @ prefix[1]
    return from_prefix.view(p, h, k, t, d).transpose(1, 2) + on_own @ own[1]
