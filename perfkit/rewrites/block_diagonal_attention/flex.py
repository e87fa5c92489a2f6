"""FlexAttention with a block mask that is worked out from the lengths instead of searched for.

The library finds the blocks by evaluating the mask everywhere, which takes longer than the attention.
Here they follow from the starts of the users: the blocks that a block of queries sees begin with the
one that holds the first row of its first user and end with its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from perfkit.rewrites.block_diagonal_attention.plan import AttentionPlan

Bools = np.ndarray[Any, np.dtype[np.bool_]]
SIDE = 128  # rows and columns of a block


def by_flex(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> Tensor:
    """FlexAttention, compiled; the block mask is kept in the plan."""
    if "block_mask" not in plan.kept:
        plan.kept["block_mask"] = block_mask(plan)
    queries, keys, values = (rows.transpose(0, 1)[None] for rows in (q, k, v))
    out = _compiled(q.device.type)(queries, keys, values, block_mask=plan.kept["block_mask"])
    return out[0].transpose(0, 1)


def no_flex(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> str | None:
    """Why `by_flex` cannot take these tensors; None where it can."""
    if find_spec("torch.nn.attention.flex_attention") is None:
        return "FlexAttention came with torch 2.5"
    if not plan.queries:
        return "FlexAttention takes no empty batch"
    if q.device.type != "cpu":
        return None
    if q.requires_grad or k.requires_grad or v.requires_grad:
        return "FlexAttention has no backward on a CPU"
    if q.dtype != torch.float32:
        return "FlexAttention on a CPU is for float32 here"
    if not any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++")):
        return "compiling FlexAttention on a CPU needs a C++ compiler"
    return None


@lru_cache(maxsize=2)
def _compiled(device: str) -> Callable[..., Tensor]:
    """One graph for all sizes; on a CPU one per size, as torch 2.13 makes C++ that does not build."""
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=device != "cpu")


def block_mask(plan: AttentionPlan) -> object:
    """A `BlockMask` of a plan; no wait and no search."""
    from torch.nn.attention.flex_attention import BlockMask

    partly, whole = blocks(plan)
    users_of_queries, users = plan.moved(plan.user_of_query), plan.moved(plan.user_of_key)
    asked = plan.moved(plan.positions)

    def sees(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (users_of_queries[query] == users[key]) & (asked[query] >= key)

    return BlockMask.from_kv_blocks(
        *_listed(plan, partly),
        *_listed(plan, whole),
        BLOCK_SIZE=SIDE,
        mask_mod=sees,
        seq_lengths=(plan.queries, plan.keys),
    )


def blocks(plan: AttentionPlan) -> tuple[Bools, Bools]:
    """bool [Q, K] each: blocks that are seen in part, or may be, and blocks that are seen whole.

    Whole are those that end before the first query of the block and belong to the only user that
    asks in it.
    """
    heads = np.arange(0, plan.queries, SIDE)
    tails = np.minimum(heads + SIDE, plan.queries) - 1
    users = plan.user_of_query[heads]
    alone = users == plan.user_of_query[tails]
    start = plan.starts[users][:, None]
    columns = np.arange(-(-plan.keys // SIDE))
    firsts, ends = columns * SIDE, (columns + 1) * SIDE
    whole = (firsts >= start) & (ends <= plan.positions[heads][:, None] + 1) & alone[:, None]
    seen = (ends > start) & (firsts <= plan.positions[tails][:, None])
    return seen & ~whole, whole


def _listed(plan: AttentionPlan, blocks: Bools) -> tuple[Tensor, Tensor]:
    """(how many blocks, int32 [1, 1, Q]; which, first ones first, int32 [1, 1, Q, K])."""
    order = np.argsort(~blocks, axis=1, kind="stable").astype(np.int32)
    counts = blocks.sum(axis=1).astype(np.int32)
    return plan.moved(counts)[None, None], plan.moved(order)[None, None]
