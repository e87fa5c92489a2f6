"""Sequences side by side without padding, and back: indices made once per batch on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from perfkit.base.errors import PerfkitError


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a padded [sequences, longest, ...] stand in a packed [total, ...].

    Attributes:
        rows: int64 [total], index of each packed token in the padded batch laid flat.
        positions: int64 [total], place of each token within its sequence; for position embeddings.
        cu_seqlens: int32 [sequences + 1], where each sequence starts; what varlen attention takes.
        longest: width of the padded batch, its padding included.
        max_seqlen: tokens of the longest sequence, which varlen attention takes as well.
    """

    rows: Tensor
    positions: Tensor
    cu_seqlens: Tensor
    longest: int
    max_seqlen: int

    @property
    def sequences(self) -> int:
        return self.cu_seqlens.numel() - 1

    @property
    def total(self) -> int:
        return self.rows.numel()

    @property
    def efficiency(self) -> float | None:
        """Share of the padded batch that is not padding; None where it is empty."""
        padded = self.sequences * self.longest
        return self.total / padded if padded else None

    @classmethod
    def of(cls, lengths: Tensor | Sequence[int], longest: int | None = None) -> Packing:
        """From the length of each sequence, known on the host.

        Args:
            lengths: [sequences], on the host.
            longest: width of the padded batch; None for the longest length.

        Raises:
            PerfkitError: lengths on a device (reading them would wait), negative, or too long.
        """
        lengths = torch.as_tensor(lengths, dtype=torch.int64)
        if lengths.device.type != "cpu":
            raise PerfkitError(
                f"the lengths are on {lengths.device}: making indices of them would wait for it",
                "keep them on the host, where the collate function makes them",
            )
        most = int(lengths.max()) if lengths.numel() else 0
        longest = most if longest is None else longest
        if most > longest or (lengths < 0).any():
            raise PerfkitError(
                f"lengths from {int(lengths.min())} to {most} in a batch {longest} wide",
                "lengths lie between 0 and the width of the padded batch",
            )
        starts = torch.zeros(lengths.numel() + 1, dtype=torch.int64)
        torch.cumsum(lengths, 0, out=starts[1:])
        total = int(starts[-1])
        numbers = torch.arange(lengths.numel())
        sequence = torch.repeat_interleave(numbers, lengths, output_size=total)
        positions = torch.arange(total) - starts[sequence]
        return cls(sequence * longest + positions, positions, starts.int(), longest, most)

    def to(self, device: torch.device | str, non_blocking: bool = True) -> Packing:
        """On another device: three copies, once per batch."""
        return replace(
            self,
            rows=self.rows.to(device, non_blocking=non_blocking),
            positions=self.positions.to(device, non_blocking=non_blocking),
            cu_seqlens=self.cu_seqlens.to(device, non_blocking=non_blocking),
        )


def pack(x: Tensor, packing: Packing) -> Tensor:
    """[sequences, longest, ...] to [total, ...]; padding is never read.

    Raises:
        PerfkitError: x is of another shape.
    """
    if tuple(x.shape[:2]) != (packing.sequences, packing.longest):
        raise PerfkitError(
            f"a batch of {tuple(x.shape[:2])} for a packing of "
            f"{(packing.sequences, packing.longest)}",
            "make the packing from the lengths of this batch, with longest= where it is wider",
        )
    return x.flatten(0, 1).index_select(0, packing.rows)


def unpack(x: Tensor, packing: Packing, fill: float = 0.0) -> Tensor:
    """[total, ...] to [sequences, longest, ...] with `fill` in the padding.

    Raises:
        PerfkitError: x has another number of rows.
    """
    if x.shape[0] != packing.total:
        raise PerfkitError(
            f"{x.shape[0]} rows for a packing of {packing.total} tokens", "pack with the same one"
        )
    flat = x.new_full((packing.sequences * packing.longest, *x.shape[1:]), fill)
    flat = flat.index_copy(0, packing.rows, x)
    return flat.view(packing.sequences, packing.longest, *x.shape[1:])
