"""One EmbeddingBag over all slots of a batch, instead of a gather and a segment sum for each.

What it replaces
    For each of the slots of a recommendation model: clamp the ids, gather rows of a shared table,
    sum them by offsets, and concatenate what comes out. Three launches per slot, two copies to the
    device per slot, and, in training, one dense gradient of the whole table per slot.

Why it is faster
    `fuse_slots` lays the ids of all slots out token by token on the host, so that two tensors are
    copied. One EmbeddingBag reads every row once and writes the concatenated result in place, never
    holding the gathered rows. The gradient of the table is made once.

When it wins, and when not
    Token-major wins everywhere tried. On a CPU: about 10 times at 529 tokens of 28 slots with D = 64,
    15 to 20 times at 4602, and 12 to 28 times with the backward pass, whose gradient is made there by
    a bag over the transposed ids. The layout costs the host about as much again: do it in the
    workers of the loader. Slot-major saves that reordering and pays a transpose of the result. A bag
    per slot is the smallest edit and keeps most launches and all copies and gradients. Gathering
    everything and then segment_reduce is hardly faster than what was found. Slots with tables of
    different widths cannot be fused; tables of equal width are stacked, and `fuse_slots(rows=[...])`
    adds the row offsets.

Exact or approximate
    Exact but for the order of summation, in value and gradient, for sum and for mean of bags that
    are not empty. The mean of an empty bag is 0 here and NaN with segment_reduce.

Hazards
    Clamp and modulo differ for ids out of range: keep the one that the model was trained with.
    `padding_idx` of EmbeddingBag drops the row from the sum, `padding_idx` of Embedding keeps it and
    only stops its gradient: hence `dropped_row` and `frozen_row`, never one for the other. Offsets
    that end early drop the last ids in silence, so they are checked on the host. fp16 sums overflow
    beyond 65504. An id out of range raises on a CPU and fails a device assertion on CUDA.

Your own inputs
    `table`: [rows, D]; requires a gradient if training is what you measure. `batch`: a dictionary from
    slot to (values int64 [n], offsets int64 [tokens + 1]), with weights [n] as a third where there are
    any. `policy`: "clamp", "modulo" or "as is"; clamp if left out. `reduce`: "sum" or "mean".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._rewrite import Form, Goal, Inputs, Rewrite
from perfkit.rewrites.fused_embedding._cases import CASES
from perfkit.rewrites.fused_embedding._forms import (
    SlotBatch,
    dropped_padding,
    fused_gather,
    other_policy,
    per_slot_bags,
    per_slot_gathers,
    slot_major_bags,
    truncated_remainder,
)
from perfkit.rewrites.fused_embedding._gradient import TransposedSum
from perfkit.rewrites.fused_embedding.slots import FusedIds, IdPolicy, admitted, fuse_slots

__all__ = ["fused_embedding", "fuse_slots", "FusedIds", "IdPolicy", "Reduce", "REWRITE"]


class Reduce(Enum):
    """How the rows of a bag become one."""

    SUM = "sum"
    MEAN = "mean"


def fused_embedding(
    table: Tensor,
    bags: FusedIds,
    policy: IdPolicy = IdPolicy.CLAMP,
    *,
    reduce: Reduce = Reduce.SUM,
    frozen_row: int | None = None,
    dropped_row: int | None = None,
    sparse: bool = False,
) -> Tensor:
    """Embeddings of all slots of every token, side by side.

    Args:
        table: floating point [rows, D].
        bags: from `fuse_slots`; moved to the table's device if it is not there.
        policy: what becomes of ids outside the table; AS_IS where `fuse_slots` applied it.
        reduce: an empty bag is 0 in both; weights only go with the sum.
        frozen_row: counts in the sum and gets no gradient, like `padding_idx` of nn.Embedding.
        dropped_row: does not count at all, like `padding_idx` of nn.EmbeddingBag.
        sparse: the gradient of the table is a sparse tensor, for optimisers that take one.

    Returns:
        [tokens, slots * D] in the dtype of the table; slot s at columns s * D to (s + 1) * D.

    Raises:
        PerfkitError: weights with the mean.
    """
    if bags.weights is not None and reduce is Reduce.MEAN:
        raise PerfkitError(
            "weights go with the sum only", "divide the weights by their bag's length and use SUM"
        )
    bags = bags.to(table.device)
    if frozen_row is not None:
        table = _RowWithoutGradient.apply(table, frozen_row)
    if bags.tokens == 0:
        return F.embedding(bags.ids, table).sum(0).repeat(0, bags.slots)
    ids = admitted(bags.ids, table.shape[0], policy)
    plain = reduce is Reduce.SUM and bags.weights is None and dropped_row is None and not sparse
    if plain and _transposing_pays(table):
        out = TransposedSum.apply(table, ids, bags.offsets)
    else:
        out = F.embedding_bag(
            ids,
            table,
            bags.offsets,
            mode=reduce.value,
            sparse=sparse,
            per_sample_weights=None if bags.weights is None else bags.weights.to(table.dtype),
            include_last_offset=True,
            padding_idx=dropped_row,
        )
    return out.view(bags.tokens, bags.slots * table.shape[1])


def _transposing_pays(table: Tensor) -> bool:
    """Measured on a CPU only; CUDA's own gradient sorts already. Sums in half precision do not."""
    wide = table.dtype in (torch.float32, torch.float64)
    return table.device.type == "cpu" and wide and table.requires_grad


class _RowWithoutGradient(torch.autograd.Function):
    """The table itself; its gradient, which nobody else holds yet, is zeroed in one row."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, row: int) -> Tensor:
        ctx.row = row
        return table.view_as(table)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        if not gradient.is_sparse:
            gradient[ctx.row] = 0
            return gradient, None
        indices, values = gradient._indices(), gradient._values()
        kept = values.masked_fill((indices[0] == ctx.row)[:, None], 0)
        return torch.sparse_coo_tensor(indices, kept, gradient.shape, check_invariants=False), None


def _token_major(table: Tensor, batch: SlotBatch, policy: IdPolicy, reduce: str) -> Tensor:
    return fused_embedding(table, batch.by_token, policy, reduce=Reduce(reduce))


def _fused_in_the_step(table: Tensor, batch: SlotBatch, policy: IdPolicy, reduce: str) -> Tensor:
    bags = fuse_slots(batch.per_slot, weights=batch.weights or None)
    return fused_embedding(table, bags, policy, reduce=Reduce(reduce))


def _needs_plain_sums(*inputs: Any) -> str | None:
    return "EmbeddingBag weighs sums of token-major bags only" if inputs[1].weights else None


def _adopted(
    table: Tensor,
    batch: Mapping[Any, Any] | Sequence[Any],
    policy: str = IdPolicy.CLAMP.value,
    reduce: str = Reduce.SUM.value,
) -> Inputs:
    """Inputs as a file holds them; `batch` as {slot: (values, offsets)} or with weights as third."""
    if isinstance(batch, Mapping) and "per_slot" in batch:  # the fields of a SlotBatch
        slots, weights = batch["per_slot"], batch.get("weights", ())
    else:
        given = list(batch.values()) if isinstance(batch, Mapping) else list(batch)
        slots = [slot[:2] for slot in given]
        weights = [slot[2] for slot in given if len(slot) > 2]
    pairs = tuple((values, offsets) for values, offsets in slots)
    return table, SlotBatch.of(pairs, tuple(weights)), IdPolicy(policy), Reduce(reduce).value


REWRITE = Rewrite(
    title="Embed all slots with one EmbeddingBag over token-major ids",
    found=(Form("found", per_slot_gathers, "never: launches, copies and gradients for each slot"),),
    forms=(
        Form("token-major", _token_major, "wherever the collate function can be changed"),
        Form("token-major, fused in the step", _fused_in_the_step, "where it cannot be changed"),
        Form(
            "slot-major",
            slot_major_bags,
            "where ids arrive slot by slot; pays a transpose of the result",
            unavailable=_needs_plain_sums,
        ),
        Form("a bag per slot", per_slot_bags, "the smallest edit; launches and gradients remain"),
        Form("fused gather", fused_gather, "only where the gathered rows are needed as well"),
    ),
    traps=(
        Form("padding dropped", dropped_padding, "never: row 0 vanishes from sums that had it"),
        Form("other policy", other_policy, "never: ids out of range change their rows"),
        Form("fmod", truncated_remainder, "never: negative ids change their rows"),
    ),
    cases=CASES,
    goals=(
        Goal("529 tokens", ratio=5, device_ops=2, syncs=0, copies=2),
        Goal("529 tokens", ratio=4, backward=True),
        Goal("4602 tokens", ratio=5, device_ops=2, syncs=0, copies=2),
        Goal("4602 tokens", ratio=4, backward=True),
    ),
    adopt=_adopted,
)
