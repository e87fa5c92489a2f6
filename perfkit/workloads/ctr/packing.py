"""Users' rows as columns, and batches gathered out of them: two id tensors instead of sixty-one.

Which rows a batch holds is decided here, on the host: users without a row to predict may stay away,
and so may rows that nothing to be predicted can see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from perfkit.rewrites.block_diagonal_attention import AttentionPlan
from perfkit.rewrites.csr_collate import columns_of, csr_collate, csr_fused
from perfkit.rewrites.filtered_history import History
from perfkit.rewrites.filtered_history.rows import ASKED_FOR
from perfkit.rewrites.fused_embedding import FusedIds, IdPolicy
from perfkit.rewrites.fused_embedding.slots import admitted

from .config import Config
from .data import Bag, Row


@dataclass(frozen=True)
class Columns:
    """All users' rows, user by user and oldest first. On the host.

    Attributes:
        user_offsets: int64 [U + 1].
        logid: int64 [R].
        label: float32 [R]; NaN where it is not known.
        asked: bool [R], rows to predict.
        values, row_offsets, counts: the ids, as `csr_collate` reads them.
    """

    user_offsets: Tensor
    logid: Tensor
    label: Tensor
    asked: Tensor
    values: Tensor
    row_offsets: Tensor
    counts: Tensor

    @property
    def users(self) -> int:
        return self.user_offsets.numel() - 1

    @cached_property
    def last_asked(self) -> Tensor:
        """int64 [U], number of each user's last row to predict; -1 where there is none."""
        asked = self.asked.nonzero().squeeze(1)
        owner = torch.searchsorted(self.user_offsets, asked, right=True) - 1
        last = torch.full((self.users,), -1, dtype=torch.int64)
        return last.scatter_reduce_(0, owner, asked, "amax")


def columns_of_users(users: list[list[Row]], slots: int) -> Columns:
    """Columns of users held as lists of rows."""
    rows = [row for user in users for row in user]
    listed = [{slot - 1: ids for slot, ids in row.signs.items()} for row in rows]
    values, row_offsets, counts = columns_of(listed, slots)
    return Columns(
        user_offsets=torch.tensor([0, *map(len, users)]).cumsum(0),
        logid=torch.tensor([row.logid for row in rows], dtype=torch.int64),
        label=torch.tensor([row.label for row in rows], dtype=torch.float32),
        asked=torch.tensor([row.is_test for row in rows], dtype=torch.bool),
        values=values,
        row_offsets=row_offsets,
        counts=counts,
    )


def columns_of_history(history: History) -> Columns:
    """Columns of rows that were read from a file; labels of rows to predict are unknown."""
    asked = history.click == ASKED_FOR
    row_offsets = torch.zeros(asked.numel() + 1, dtype=torch.int64)
    torch.cumsum(history.counts.sum(1), 0, out=row_offsets[1:])
    label = history.click.float()
    return Columns(
        user_offsets=history.user_offsets,
        logid=history.logid,
        label=label.masked_fill(asked, float("nan")),
        asked=asked,
        values=history.values,
        row_offsets=row_offsets,
        counts=history.counts,
    )


def with_truth(columns: Columns, clicks: Mapping[int, float]) -> Columns:
    """Columns whose unknown labels are taken from `clicks`, by logid, where they are there."""
    label = columns.label.clone()
    for row in label.isnan().nonzero().squeeze(1).tolist():
        label[row] = clicks.get(int(columns.logid[row]), float("nan"))
    return replace(columns, label=label)


@dataclass(frozen=True)
class Packed:
    """Some users' rows, one after the other.

    Attributes:
        ids: all slots' ids, already admitted to the table.
        slots: the same slot by slot, for the embedding as found; else None.
        lengths: rows of each user; stays on the host.
        wanted: int64 [T], numbers of the rows to predict, ascending.
        logid, label: [T], of those rows; stay on the host.
        plan, last_plan: for attention of all rows, and of the rows to predict only.
    """

    ids: FusedIds
    slots: dict[int, Bag] | None
    lengths: Tensor
    wanted: Tensor
    logid: Tensor
    label: Tensor
    plan: AttentionPlan
    last_plan: AttentionPlan

    @property
    def rows(self) -> int:
        return self.ids.tokens

    def pin_memory(self) -> Packed:
        """In page-locked memory what is copied to the device; a DataLoader calls this."""
        pinned = {
            slot: (v.pin_memory(), o.pin_memory()) for slot, (v, o) in (self.slots or {}).items()
        }
        return replace(
            self,
            ids=self.ids.pin_memory(),
            slots=None if self.slots is None else pinned,
            wanted=self.wanted.pin_memory(),
        )

    def to(self, device: torch.device) -> Packed:
        """On the device, three copies; with plans for it."""
        slots = None
        if self.slots is not None:
            slots = {
                slot: (values.to(device, non_blocking=True), offsets.to(device, non_blocking=True))
                for slot, (values, offsets) in self.slots.items()
            }
        return replace(
            self,
            ids=self.ids.to(device),
            slots=slots,
            wanted=self.wanted.to(device, non_blocking=True),
            plan=AttentionPlan(self.lengths, None, device),
            last_plan=AttentionPlan(self.lengths, self.last_plan.rows, device),
        )


def kept_rows(columns: Columns, users: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    """(numbers of the rows that a batch of these users holds, how many of each user)."""
    first, end = columns.user_offsets[users], columns.user_offsets[users + 1]
    if config.cut_history:
        last = columns.last_asked[users]
        end = torch.where(last < 0, end, last + 1)
    lengths = end - first
    before = lengths.cumsum(0) - lengths
    total = int(lengths.sum())
    rows = torch.repeat_interleave(first - before, lengths, output_size=total)
    return rows + torch.arange(total), lengths


def pack(columns: Columns, users: Tensor, config: Config) -> Packed:
    """Some users' rows as one batch on the host. No Python per user, row or id.

    Args:
        users: int64, numbers of the users, in the order wanted.
    """
    rows, lengths = kept_rows(columns, users, config)
    policy = IdPolicy(config.id_policy)
    values, offsets = csr_fused(columns.values, columns.row_offsets, columns.counts, rows)
    values = admitted(values, config.vocab, policy)
    slots = None
    if config.embedding == "found":
        bags = csr_collate(columns.values, columns.row_offsets, columns.counts, rows)
        slots = {s: (admitted(v, config.vocab, policy), o) for s, (v, o) in enumerate(bags, 1)}
    wanted = columns.asked[rows].nonzero().squeeze(1)
    asked = rows[wanted]
    return Packed(
        ids=FusedIds(values, offsets, config.slots),
        slots=slots,
        lengths=lengths,
        wanted=wanted,
        logid=columns.logid[asked],
        label=columns.label[asked],
        plan=AttentionPlan(lengths),
        last_plan=AttentionPlan(lengths, wanted),
    )


class PackedBatches(Dataset):
    """Batches of `config.users` users, packed when asked for."""

    def __init__(self, columns: Columns, config: Config) -> None:
        users = torch.arange(columns.users)
        if config.only_test_users:
            users = users[columns.last_asked >= 0]
        self.columns, self.config = columns, config
        self.batches = users.split(config.users) if users.numel() else ()

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Packed:
        return pack(self.columns, self.batches[index], self.config)


def make_packed_loader(
    columns: Columns, config: Config, device: torch.device, workers: int = 0
) -> DataLoader:
    """A loader of packed batches, pinned where they go to a CUDA device."""
    return DataLoader(
        PackedBatches(columns, config),
        batch_size=None,
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
