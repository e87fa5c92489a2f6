"""DataLoaders that a program iterated over: their settings, and when the program waited for batches."""

from __future__ import annotations

from dataclasses import dataclass

Wait = tuple[int, int]
"""Start and end, ns on the process's monotonic clock."""


@dataclass(frozen=True)
class LoaderUse:
    """One `torch.utils.data.DataLoader` as it was used.

    Attributes:
        dataset: name of the dataset's class.
        batch_size: samples per batch; None where a batch sampler decides.
        num_workers: processes that make batches; 0: the main process does.
        prefetch_factor: batches that each worker keeps ready; None without workers.
        length: batches per epoch; None where the dataset does not tell.
        batches: handed over in all.
        starts: the beginnings of epochs that made a new iterator, from then until the first batch.
        waits: all other batches, from when they were asked for until they were there; the first
            `MOST` of them.
        delays: for each of these, ns of it in which the thread was ready to run and no core was free:
            others' doing; empty where the system does not count that.
        tensors, nbytes: tensors of a batch and bytes in them, means of the first batches; None where
            nobody counted.
    """

    dataset: str
    batch_size: int | None
    num_workers: int
    pin_memory: bool
    prefetch_factor: int | None
    persistent_workers: bool
    length: int | None = None
    batches: int = 0
    starts: tuple[Wait, ...] = ()
    waits: tuple[Wait, ...] = ()
    delays: tuple[int, ...] = ()
    tensors: float | None = None
    nbytes: float | None = None


MOST = 5_000
"""Waits that are kept of one loader."""
