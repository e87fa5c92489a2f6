"""Many slots of one batch as two tensors: the host half of `fused_embedding`.

A slot is one multi-valued feature: `values` int64 [n] and `offsets` int64 [tokens + 1], the ids of
token t being values[offsets[t]:offsets[t + 1]]. Fused, the bags of all slots lie in one row, token
by token (token-major) or slot by slot (slot-major), so that two tensors cross to the device instead
of two per slot. Runs in DataLoader workers; no Python per token or id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import torch
from torch import Tensor

from perfkit.base.errors import PerfkitError

Slot = tuple[Tensor, Tensor]


class IdPolicy(Enum):
    """What becomes of an id outside the table. Must be the one that the model was trained with.

    CLAMP sends negative ids to the first row and large ones to the last. MODULO takes the remainder,
    which is not negative (as Python's and torch's %, unlike C's). AS_IS does nothing: an id out of
    range raises on a CPU and fails a device assertion on CUDA.
    """

    CLAMP = "clamp"
    MODULO = "modulo"
    AS_IS = "as is"


def admitted(ids: Tensor, rows: int, policy: IdPolicy) -> Tensor:
    """Ids of a table of `rows` rows."""
    if policy is IdPolicy.CLAMP:
        return ids.clamp(0, rows - 1)
    if policy is IdPolicy.MODULO:
        return ids.remainder(rows)
    return ids


@dataclass(frozen=True)
class FusedIds:
    """The bags of all slots of a batch, token by token: bag t * slots + s belongs to token t, slot s.

    Attributes:
        ids: int64 [n].
        offsets: int64 [tokens * slots + 1] from 0 to n, ascending.
        slots: number of slots.
        weights: floating point [n], or None for ones.

    Raises:
        PerfkitError: the last offset is not n, the bags do not divide by slots, or the weights are
            not one per id. EmbeddingBag itself would drop or invent ids without a word. The offsets
            are looked at while they are on the host; on a device that would make the host wait.
    """

    ids: Tensor
    offsets: Tensor
    slots: int
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        if self.slots < 1 or self.offsets.numel() < 1 or self.bags % self.slots:
            raise PerfkitError(
                f"{self.bags} bags cannot be shared among {self.slots} slots",
                "offsets need tokens * slots + 1 entries",
            )
        if self.weights is not None and self.weights.shape != self.ids.shape:
            raise PerfkitError(
                f"{tuple(self.weights.shape)} weights for {tuple(self.ids.shape)} ids",
                "give one weight per id",
            )
        if self.offsets.device.type == "cpu":
            _check_ends(self.offsets, self.ids.numel(), "fused offsets")

    @property
    def bags(self) -> int:
        return self.offsets.numel() - 1

    @property
    def tokens(self) -> int:
        return self.bags // self.slots

    def to(self, device: torch.device | str, non_blocking: bool = True) -> FusedIds:
        """On another device: two copies, three with weights. Pin first for copies that overlap."""
        weights = self.weights
        return replace(
            self,
            ids=self.ids.to(device, non_blocking=non_blocking),
            offsets=self.offsets.to(device, non_blocking=non_blocking),
            weights=None if weights is None else weights.to(device, non_blocking=non_blocking),
        )

    def pin_memory(self) -> FusedIds:
        """In page-locked memory. `DataLoader(pin_memory=True)` calls this."""
        weights = self.weights
        return replace(
            self,
            ids=self.ids.pin_memory(),
            offsets=self.offsets.pin_memory(),
            weights=None if weights is None else weights.pin_memory(),
        )


def fuse_slots(
    slots: Mapping[object, Slot] | Sequence[Slot],
    *,
    weights: Sequence[Tensor] | None = None,
    rows: int | Sequence[int] | None = None,
    policy: IdPolicy = IdPolicy.CLAMP,
) -> FusedIds:
    """Make two tensors of the (values, offsets) of all slots, token by token. For the host.

    Args:
        slots: {name: (values int64 [n_s], offsets int64 [tokens + 1])} in the order in which their
            embeddings are to stand side by side, or just those pairs.
        weights: one floating-point tensor [n_s] per slot.
        rows: None leaves the ids as they are, for a `policy` applied on the device. A number applies
            the policy here, against one shared table. One number per slot is for slots with tables
            of their own, stacked into one of sum(rows) rows in the order of the slots: the policy
            is applied within each table, and the rows of the tables before it are added.
        policy: see `IdPolicy`; only with `rows`. Give `IdPolicy.AS_IS` to the device then.

    Raises:
        PerfkitError: slots of different numbers of tokens, offsets that do not end at the number of
            values, or none at all.
    """
    pairs = list(slots.values()) if isinstance(slots, Mapping) else list(slots)
    names: list[object] = list(slots) if isinstance(slots, Mapping) else list(range(len(pairs)))
    _check_slots(names, pairs)
    ids = torch.cat(_admitted_slots([values for values, _ in pairs], rows, policy))
    lengths = torch.stack([offsets.diff() for _, offsets in pairs])  # [slots, tokens]
    order, offsets = _token_major(lengths, ids.numel())
    joined = None if weights is None else torch.cat(list(weights))[order]
    return FusedIds(ids[order], offsets, len(pairs), joined)


def slot_major(slots: Sequence[Slot]) -> tuple[Tensor, Tensor]:
    """(ids, offsets) slot by slot: no reordering here, a transpose of the embeddings later."""
    lengths = torch.cat([offsets.diff() for _, offsets in slots])
    return torch.cat([values for values, _ in slots]), _offsets(lengths)


def _token_major(lengths: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Where each id in token-major order stands in slot-major order, and the token-major offsets."""
    before = _offsets(lengths.reshape(-1))[:-1].view_as(lengths)
    lengths = lengths.t().reshape(-1)
    offsets = _offsets(lengths)
    shifts = before.t().reshape(-1) - offsets[:-1]
    order = torch.repeat_interleave(shifts, lengths, output_size=count)
    return order.add_(torch.arange(count)), offsets


def _offsets(lengths: Tensor) -> Tensor:
    offsets = lengths.new_zeros(lengths.numel() + 1)
    torch.cumsum(lengths, 0, out=offsets[1:])
    return offsets


def _admitted_slots(
    values: list[Tensor], rows: int | Sequence[int] | None, policy: IdPolicy
) -> list[Tensor]:
    if rows is None:
        return values
    if isinstance(rows, int):
        return [admitted(ids, rows, policy) for ids in values]
    if len(rows) != len(values):
        raise PerfkitError(
            f"{len(rows)} tables for {len(values)} slots", "give one row count per slot"
        )
    bases = [sum(rows[:slot]) for slot in range(len(rows))]
    own = zip(values, rows, bases, strict=True)
    return [admitted(ids, count, policy) + base for ids, count, base in own]


def _check_slots(names: list[object], slots: list[Slot]) -> None:
    if not slots:
        raise PerfkitError("there are no slots to fuse", "give at least one (values, offsets)")
    tokens = slots[0][1].numel() - 1
    for name, (values, offsets) in zip(names, slots, strict=True):
        if offsets.numel() - 1 != tokens:
            raise PerfkitError(
                f"slot {name!r} has {offsets.numel() - 1} tokens, slot {names[0]!r} has {tokens}",
                "every slot needs offsets for every token; an empty bag repeats an offset",
            )
        _check_ends(offsets, values.numel(), f"offsets of slot {name!r}")


def _check_ends(offsets: Tensor, count: int, what: str) -> None:
    first, last = int(offsets[0]), int(offsets[-1])
    if (first, last) != (0, count):
        raise PerfkitError(
            f"{what} run from {first} to {last}, there are {count} values",
            "offsets start at 0 and end at the number of values",
        )
