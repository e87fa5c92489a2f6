"""Users of like length, padded on the right to the longest of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from perfkit.rewrites.block_diagonal_attention.plan import AttentionPlan

Ints = np.ndarray[Any, np.dtype[np.int64]]
EDGES = 64  # lengths that are considered as the longest of a bucket
ROW_PAIRS = 256  # pairs of rows that take as long as what a row costs by itself, on a CPU
BUCKET_PAIRS = 8192  # and as long as another bucket


@dataclass(frozen=True)
class Bucket:
    """B users. Padding repeats a user's last row, so that nothing in it is empty or not finite.

    Attributes:
        queries: int64 [B * Mq], which query fills each place.
        keys: int64 [B * Mk], which row fills each place.
        users: B.
        mask: bool [B, 1, Mq, Mk]; None where plain causal attention does, as padding comes last.
    """

    queries: Tensor
    keys: Tensor
    users: int
    mask: Tensor | None


@dataclass(frozen=True)
class Buckets:
    """All users that ask, and int64 [R]: where in the buckets' places each query came out."""

    each: tuple[Bucket, ...]
    back: Tensor


def bucketed(plan: AttentionPlan, grouping: list[Ints]) -> Buckets:
    """Groups of users as buckets, their indices moved to the device in one copy."""
    back = np.zeros(plan.queries, np.int64)
    parts: list[Ints] = []
    shapes: list[int] = []
    base = 0
    for users in grouping:
        keys = _padded(plan.starts, plan.lengths, users)
        queries = _padded(plan.asking_starts, plan.asking, users)
        real = np.arange(queries.shape[1]) < plan.asking[users, None]
        back[queries[real]] = base + np.flatnonzero(real)
        base += queries.size
        seen = plan.positions[queries] - plan.starts[users, None]
        parts += [queries.ravel(), keys.ravel(), seen.ravel()]
        shapes.append(users.size)
    moved = plan.moved(np.concatenate([*parts, back])).split([part.size for part in (*parts, back)])
    each = tuple(
        _bucket(moved[3 * i : 3 * i + 3], users, plan.rows is None)
        for i, users in enumerate(shapes)
    )
    return Buckets(each, moved[-1])


def grouped(plan: AttentionPlan, at_most: int) -> list[Ints]:
    """Numbers of the users that ask, sorted by length and cut where padding costs least."""
    users = np.flatnonzero(plan.asking)
    if not users.size:
        return []
    order = users[np.argsort(plan.lengths[users], kind="stable")]
    lengths = plan.lengths[order]
    ends = np.flatnonzero(np.diff(lengths, append=lengths[-1] + 1)) + 1
    if ends.size > EDGES:
        ends = np.unique(ends[np.linspace(0, ends.size - 1, EDGES).round().astype(np.int64)])
    longest = lengths[ends - 1].astype(np.float64)
    each = longest * (ROW_PAIRS + (longest if plan.rows is None else 1))
    return np.split(order, _cuts(ends, each, at_most))


def _bucket(indices: tuple[Tensor, ...], users: int, all_ask: bool) -> Bucket:
    queries, keys, seen = indices
    if all_ask:
        return Bucket(queries, keys, users, None)
    places = torch.arange(keys.numel() // users, device=keys.device)
    return Bucket(queries, keys, users, places <= seen.view(users, 1, -1, 1))


def _padded(starts: Ints, counts: Ints, users: Ints) -> Ints:
    """[B, most], the users' own numbers, the last one repeated."""
    places = np.arange(counts[users].max())
    return starts[users, None] + np.minimum(places, counts[users, None] - 1)


def _cuts(ends: Ints, each: np.ndarray[Any, np.dtype[np.float64]], at_most: int) -> list[int]:
    """Where to cut sorted users: `ends[j]` users cost `each[j]` apiece when they end a bucket there."""
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    cost = np.maximum(ends - starts[:, None], 0) * each + BUCKET_PAIRS
    cost[np.tril_indices(ends.size, -1)] = np.inf
    best, came = cost[0], []
    for _ in range(at_most - 1):
        longer = np.concatenate([[np.inf], best[:-1]])[:, None] + cost
        came.append(longer.argmin(axis=0))
        better = longer.min(axis=0)
        came[-1][better >= best] = 0  # 0 is never worth a cut: no bucket before it
        best = np.minimum(best, better)
    cuts, last = [], ends.size - 1
    for step in reversed(came):
        if step[last]:
            cuts.append(int(starts[step[last]]))
            last = int(step[last]) - 1
    return cuts[::-1]
