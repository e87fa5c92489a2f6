"""The ways to let every row see itself and the earlier rows of its own user."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from perfkit.rewrites.block_diagonal_attention._buckets import Buckets
from perfkit.rewrites.block_diagonal_attention.plan import AttentionPlan


def found(q: Tensor, k: Tensor, v: Tensor, offsets: Tensor, rows: Tensor | None = None) -> Tensor:
    """As met in programs: an int64 [S, S] difference of user numbers, and softmax by hand."""
    mask = _mask_of_differences(offsets, rows)
    scores = torch.matmul(q.transpose(0, 1), k.permute(1, 2, 0)) / q.shape[-1] ** 0.5
    scores = scores.masked_fill(~mask, float("-inf"))
    return torch.matmul(torch.softmax(scores, dim=-1), v.transpose(0, 1)).transpose(0, 1)


def found_with_sdpa(
    q: Tensor, k: Tensor, v: Tensor, offsets: Tensor, rows: Tensor | None = None
) -> Tensor:
    """What is usually done first about it: the same mask, and one fused call."""
    mask = _mask_of_differences(offsets, rows)
    if not mask.numel():
        return torch.zeros_like(q)
    q, k, v = (_heads_first(rows) for rows in (q, k, v))
    return _heads_last(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))


def _mask_of_differences(offsets: Tensor, rows: Tensor | None) -> Tensor:
    numbers = torch.arange(offsets.numel() - 1, device=offsets.device)
    user = torch.repeat_interleave(numbers, offsets.diff())
    same = ((user[:, None] - user[None, :]) == 0).to(torch.int32)
    mask = same.tril().to(torch.bool)
    return mask if rows is None else mask[rows]


def by_mask(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> Tensor:
    """Every row against every row under a bool mask."""
    if not plan.queries:
        return torch.zeros_like(q)
    q, k, v = (_heads_first(rows) for rows in (q, k, v))
    return _heads_last(F.scaled_dot_product_attention(q, k, v, attn_mask=plan.mask))


def by_user(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> Tensor:
    """One call per user that asks."""
    if not plan.queries:
        return torch.zeros_like(q)
    lengths, asking = plan.lengths.tolist(), plan.asking.tolist()
    queries = _heads_first(q).split(asking, dim=2)
    keys = _heads_first(k).split(lengths, dim=2)
    values = _heads_first(v).split(lengths, dim=2)
    own, first = [], 0
    for user, asked in enumerate(asking):
        if asked:
            mask = _mask_of(plan, first, asked, lengths[user])
            own.append(
                F.scaled_dot_product_attention(
                    queries[user],
                    keys[user],
                    values[user],
                    attn_mask=mask,
                    is_causal=asked == lengths[user],
                ).transpose(1, 2)
            )
            first += asked
    return torch.cat(own, dim=1)[0]


def by_buckets(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> Tensor:
    """Users of like length together, padded on the right."""
    return _in_buckets(q, k, v, plan.buckets)


def by_padding(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> Tensor:
    """All users together, padded on the right to the longest."""
    return _in_buckets(q, k, v, plan.one_bucket)


def _in_buckets(q: Tensor, k: Tensor, v: Tensor, buckets: Buckets) -> Tensor:
    out = []
    for bucket in buckets.each:
        queries, keys, values = (
            rows.index_select(0, taken).unflatten(0, (bucket.users, -1)).transpose(1, 2)
            for rows, taken in ((q, bucket.queries), (k, bucket.keys), (v, bucket.keys))
        )
        own = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=bucket.mask, is_causal=bucket.mask is None
        )
        out.append(own.transpose(1, 2).flatten(0, 1))
    return torch.cat(out).index_select(0, buckets.back) if out else torch.zeros_like(q)


def _mask_of(plan: AttentionPlan, first: int, asked: int, length: int) -> Tensor | None:
    """bool [asked, length] of a user of whom only some rows ask."""
    if asked == length:
        return None
    return plan.places[:length] <= plan.seen[first : first + asked]


def _heads_first(rows: Tensor) -> Tensor:
    """[n, H, d] as [1, H, n, d]."""
    return rows.transpose(0, 1)[None]


def _heads_last(heads: Tensor) -> Tensor:
    """[1, H, n, d] as [n, H, d]."""
    return heads[0].transpose(0, 1)


def left_padded(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> Tensor:
    """Wrong: with padding in front, causal attention sees the padding."""
    if not plan.queries:
        return torch.zeros_like(q)
    lengths = plan.lengths.tolist()
    longest = max(lengths)

    def padded(rows: Tensor) -> Tensor:
        users = rows.split(lengths)
        front = [F.pad(one, (0, 0, 0, 0, longest - len(one), 0)) for one in users]
        return torch.stack(front).transpose(1, 2)

    asked = q.new_zeros(k.shape).index_copy(0, plan.moved(plan.positions), q)
    out = F.scaled_dot_product_attention(padded(asked), padded(k), padded(v), is_causal=True)
    rows = torch.cat(
        [one[:, longest - n :].transpose(0, 1) for one, n in zip(out, lengths, strict=True)]
    )
    return rows[plan.moved(plan.positions)]


def aligned_at_the_top(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> Tensor:
    """Wrong: of fewer queries than keys, `is_causal` takes the first to see the first key only."""
    own = []
    bounds = zip(plan.starts, plan.lengths, plan.asking_starts, plan.asking, strict=False)
    for start, length, first, asked in bounds:
        heads = (q[first : first + asked], k[start : start + length], v[start : start + length])
        queries, keys, values = (_heads_first(rows) for rows in heads)
        own.append(
            _heads_last(F.scaled_dot_product_attention(queries, keys, values, is_causal=True))
        )
    return torch.cat([q[:0], *own])


def causal_only(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> Tensor:
    """Wrong: every user sees the users before it."""
    keys = torch.arange(plan.keys, device=q.device)
    mask = keys <= plan.moved(plan.positions)[:, None]
    queries, keys, values = (_heads_first(rows) for rows in (q, k, v))
    return _heads_last(F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask))
