"""The slots of a batch embedded one by one, as found, and the forms between that and the fused one.

Every form moves the batch to the device itself: how many tensors cross is part of what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from perfkit.rewrites.fused_embedding.slots import (
    FusedIds,
    IdPolicy,
    Slot,
    admitted,
    fuse_slots,
    slot_major,
)


@dataclass(frozen=True)
class SlotBatch:
    """The same batch in the layouts that different collate functions hand over.

    `per_slot` holds (values, offsets) pairs; `weights` one tensor per slot or nothing.
    """

    per_slot: tuple[Slot, ...]
    weights: tuple[Tensor, ...]
    by_token: FusedIds
    by_slot: Slot

    @classmethod
    def of(cls, slots: tuple[Slot, ...], weights: tuple[Tensor, ...] = ()) -> SlotBatch:
        """Lay a batch out in all ways."""
        by_token = fuse_slots(slots, weights=weights or None)
        return cls(slots, weights, by_token, slot_major(slots))


def per_slot_gathers(table: Tensor, batch: SlotBatch, policy: IdPolicy, reduce: str) -> Tensor:
    """As found: clamp, gather and segment sum for each slot, then concatenate."""
    columns = []
    for ids, offsets, weights in _moved(table, batch, policy):
        rows = F.embedding(ids, table)
        if weights is not None:
            rows = rows * weights[:, None]
        columns.append(_segments(rows, offsets, reduce))
    return torch.cat(columns, 1)


def per_slot_bags(table: Tensor, batch: SlotBatch, policy: IdPolicy, reduce: str) -> Tensor:
    """An EmbeddingBag per slot: no gathered rows, as many launches of bags, copies and gradients."""
    columns = [
        F.embedding_bag(
            ids,
            table,
            offsets,
            mode=reduce,
            per_sample_weights=weights,
            include_last_offset=True,
        )
        for ids, offsets, weights in _moved(table, batch, policy)
    ]
    return torch.cat(columns, 1)


def fused_gather(table: Tensor, batch: SlotBatch, policy: IdPolicy, reduce: str) -> Tensor:
    """All rows gathered at once, then one segment reduction."""
    bags = batch.by_token.to(table.device)
    rows = F.embedding(admitted(bags.ids, table.shape[0], policy), table)
    if bags.weights is not None:
        rows = rows * bags.weights[:, None]
    return _segments(rows, bags.offsets, reduce).view(bags.tokens, bags.slots * table.shape[1])


def slot_major_bags(table: Tensor, batch: SlotBatch, policy: IdPolicy, reduce: str) -> Tensor:
    """One EmbeddingBag over the slots one after another, then a transpose of what came out."""
    ids, offsets = (tensor.to(table.device) for tensor in batch.by_slot)
    bags = F.embedding_bag(
        admitted(ids, table.shape[0], policy), table, offsets, mode=reduce, include_last_offset=True
    )
    slots, tokens, width = len(batch.per_slot), batch.by_token.tokens, table.shape[1]
    return bags.view(slots, tokens, width).transpose(0, 1).reshape(tokens, slots * width)


def dropped_padding(table: Tensor, batch: SlotBatch, policy: IdPolicy, reduce: str) -> Tensor:
    """Wrong: EmbeddingBag's padding_idx takes row 0 out of sums that the found code leaves it in."""
    return _one_bag(table, batch, admitted(batch.by_token.ids, table.shape[0], policy), 0)


def other_policy(table: Tensor, batch: SlotBatch, policy: IdPolicy, reduce: str) -> Tensor:
    """Wrong: the ids out of range go to other rows than in training."""
    other = IdPolicy.MODULO if policy is IdPolicy.CLAMP else IdPolicy.CLAMP
    return _one_bag(table, batch, admitted(batch.by_token.ids, table.shape[0], other), None)


def truncated_remainder(table: Tensor, batch: SlotBatch, policy: IdPolicy, reduce: str) -> Tensor:
    """Wrong: fmod keeps the sign, so that negative ids are others than those of the remainder."""
    ids = batch.by_token.ids.fmod(table.shape[0]).abs()
    return _one_bag(table, batch, ids, None)


def _one_bag(table: Tensor, batch: SlotBatch, ids: Tensor, padding: int | None) -> Tensor:
    out = F.embedding_bag(
        ids,
        table,
        batch.by_token.offsets,
        mode="sum",
        include_last_offset=True,
        padding_idx=padding,
    )
    return out.view(batch.by_token.tokens, -1)


def _moved(
    table: Tensor, batch: SlotBatch, policy: IdPolicy
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """(ids within the table, offsets, weights) of each slot on the table's device."""
    for slot, (values, offsets) in enumerate(batch.per_slot):
        ids = admitted(values.to(table.device), table.shape[0], policy)
        weights = batch.weights[slot].to(table.device) if batch.weights else None
        yield ids, offsets.to(table.device), weights


def _segments(rows: Tensor, offsets: Tensor, reduce: str) -> Tensor:
    return torch.segment_reduce(
        rows, reduce, offsets=offsets, initial=0 if reduce == "sum" else None
    )
