"""Batches of sequences of like length, so that little is padded where packing cannot be had."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch.utils.data import Sampler

from perfkit.base.errors import PerfkitError


class LengthSortedBatches(Sampler[list[int]]):
    """A batch sampler: shuffled, sorted by length within buckets, cut, and shuffled again.

    Every index comes exactly once per epoch (but for `drop_last`). Sorting reaches only as far as a
    bucket, so that batches still differ from epoch to epoch; still, the samples of a batch are alike
    in length, and whatever goes with length: for training this is a change of the order of samples.

    Args:
        lengths: of every sample.
        batch_size: samples per batch.
        bucket: batches that are sorted together; 1 sorts nothing across batches.
        shuffle: False gives the same order every time: sorted from short to long within buckets of
            samples in their given order.
        drop_last: leave out a last batch that is not full, of samples drawn at random if shuffled.

    Raises:
        PerfkitError: batch_size or bucket below 1.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        *,
        bucket: int = 50,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int = 0,
    ) -> None:
        if batch_size < 1 or bucket < 1:
            raise PerfkitError(
                f"batch_size {batch_size} and bucket {bucket} must be at least 1", "raise them"
            )
        self.lengths = torch.as_tensor(lengths, dtype=torch.int64)
        self.batch_size = batch_size
        self.bucket = bucket
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; without this each pass takes the next one."""
        self.epoch = epoch

    def __len__(self) -> int:
        count = len(self.lengths)
        whole = count // self.batch_size
        return whole if self.drop_last else math.ceil(count / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        self.epoch += 1
        count = len(self.lengths)
        order = torch.randperm(count, generator=generator) if self.shuffle else torch.arange(count)
        if self.drop_last:
            order = order[: len(self) * self.batch_size]
        batches = [
            batch
            for bucket in order.split(self.bucket * self.batch_size)
            for batch in self._sorted(bucket).split(self.batch_size)
            if len(batch)  # nothing splits into one empty piece
        ]
        turns = torch.randperm(len(batches), generator=generator) if self.shuffle else None
        for turn in range(len(batches)) if turns is None else turns.tolist():
            yield batches[turn].tolist()

    def _sorted(self, indices: torch.Tensor) -> torch.Tensor:
        """Stable, so that equal lengths stay as shuffled."""
        return indices[torch.argsort(self.lengths[indices], stable=True)]


def padding_efficiency(lengths: Sequence[int], batches: Iterable[Sequence[int]]) -> float | None:
    """Share of tokens among all places of padded batches; None where there are no places."""
    tokens = places = 0
    for batch in batches:
        own = [int(lengths[index]) for index in batch]
        tokens += sum(own)
        places += len(own) * max(own, default=0)
    return tokens / places if places else None
