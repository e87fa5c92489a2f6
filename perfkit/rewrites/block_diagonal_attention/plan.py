"""What attention needs to know about a batch of users, worked out once and used by every layer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.rewrites.block_diagonal_attention._buckets import (
    Buckets,
    Ints,
    bucketed,
    grouped,
)


class AttentionPlan:
    """Lengths of the users of one batch, and which rows ask; made on the host, without a wait.

    Masks, indices and buckets are built when a form first needs them, are moved to `device`, and
    stay: make one plan per batch and give it to all layers.

    Attributes:
        lengths: int64 [U], rows of each user, zero allowed; NumPy, as all that is on the host.
        starts: int64 [U + 1], first row of each user, and the number of rows S at the end.
        rows: int64 [R], the rows that are queries, ascending; None where all are.
        asking: int64 [U], queries of each user.
        asking_starts: int64 [U + 1], first query of each user.
        device: where masks and indices go.
        kept: what forms of other modules work out of the plan, by name.
    """

    def __init__(
        self,
        lengths: Sequence[int] | Tensor,
        rows: Sequence[int] | Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Plan a batch.

        Args:
            lengths: rows of each user in order; a list or a CPU tensor, so that nothing is read
                from the device.
            rows: global numbers of the rows that are queries, ascending, each once; for a last
                layer of which only some rows are used. All rows where None.

        Raises:
            PerfkitError: negative lengths; rows that are unsorted, repeated or out of range; or
                either of them on a device.
        """
        self.lengths = _on_the_host(lengths, "lengths")
        if (self.lengths < 0).any():
            raise PerfkitError("a user has a negative length", "give the rows of each user")
        self.starts = _starts(self.lengths)
        self.rows = None if rows is None else _on_the_host(rows, "rows")
        self.device = torch.device(device)
        self.asking = self.lengths if self.rows is None else self._counted(self.rows)
        self.asking_starts = _starts(self.asking)
        self.kept: dict[str, Any] = {}

    @classmethod
    def from_offsets(
        cls, offsets: Tensor, rows: Sequence[int] | Tensor | None = None
    ) -> AttentionPlan:
        """A plan for the device of `offsets` [U + 1]; waits for it, once per batch."""
        return cls(offsets.diff().tolist(), rows, offsets.device)

    def _counted(self, rows: Ints) -> Ints:
        inside = not rows.size or (rows[0] >= 0 and rows[-1] < self.keys)
        if not inside or (np.diff(rows) <= 0).any():
            raise PerfkitError(
                f"rows must ascend within 0 to {self.keys - 1}", "sort them, and drop repeated ones"
            )
        return np.diff(np.searchsorted(rows, self.starts))

    @property
    def keys(self) -> int:
        """S, the number of rows."""
        return int(self.starts[-1])

    @property
    def queries(self) -> int:
        """R, the number of rows that ask."""
        return int(self.asking_starts[-1])

    @cached_property
    def positions(self) -> Ints:
        """int64 [R], number of each query's row."""
        return np.arange(self.keys) if self.rows is None else self.rows

    @cached_property
    def user_of_key(self) -> Ints:
        """int64 [S]."""
        return np.repeat(np.arange(self.lengths.size), self.lengths)

    @cached_property
    def user_of_query(self) -> Ints:
        """int64 [R]."""
        return np.repeat(np.arange(self.asking.size), self.asking)

    @cached_property
    def last_rows_ask(self) -> bool:
        """Whether the queries of each user are its last rows, without a hole."""
        ends = np.repeat(self.starts[1:], self.asking)
        places = np.arange(self.queries) - self.asking_starts[1:][self.user_of_query]
        return bool((self.positions == ends + places).all())

    @cached_property
    def mask(self) -> Tensor:
        """bool [R, S], True where a query sees a key."""
        asked, keys = self.moved(self.positions), torch.arange(self.keys, device=self.device)
        first = self.moved(self.starts[:-1][self.user_of_query])
        return (keys >= first[:, None]) & (keys <= asked[:, None])

    @cached_property
    def seen(self) -> Tensor:
        """int64 [R, 1], how many rows of its user come before a query."""
        return self.moved(self.positions - self.starts[:-1][self.user_of_query])[:, None]

    @cached_property
    def places(self) -> Tensor:
        """int64 [M], 0 to the longest user's length."""
        return torch.arange(int(self.lengths.max(initial=0)), device=self.device)

    @cached_property
    def grouping(self) -> list[Ints]:
        """Numbers of the users that ask, those of like length together, in four groups at most."""
        return grouped(self, at_most=4)

    @cached_property
    def buckets(self) -> Buckets:
        """The users of each group padded to the longest of it."""
        return bucketed(self, self.grouping)

    @cached_property
    def one_bucket(self) -> Buckets:
        """All users padded to the longest."""
        return bucketed(self, grouped(self, at_most=1))

    @cached_property
    def key_bounds(self) -> Tensor:
        """int32 [U + 1], as variable-length kernels want `starts`."""
        return self.moved(self.starts.astype(np.int32))

    @cached_property
    def query_bounds(self) -> Tensor:
        """int32 [U + 1], as variable-length kernels want `asking_starts`."""
        return self.moved(self.asking_starts.astype(np.int32))

    def moved(self, values: np.ndarray[Any, Any]) -> Tensor:
        """A tensor on the plan's device; from page-locked memory, so that the host does not wait."""
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def _starts(counts: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), counts.cumsum()])


def _on_the_host(values: Sequence[int] | Tensor, what: str) -> Ints:
    if isinstance(values, Tensor):
        if values.device.type != "cpu":
            raise PerfkitError(
                f"{what} lie on {values.device}", "keep a copy on the host from when they were made"
            )
        values = values.tolist()
    return np.asarray(values, dtype=np.int64)
