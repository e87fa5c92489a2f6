"""Budgets for code and tests: `no_sync()`, `max_syncs(n)`, `max_launches(n)`, `max_h2d_bytes(n)`.

    with perfkit.guard.no_sync():
        loss = model(batch)          # raises at the line that synchronises

    @perfkit.guard.max_launches(200)
    def train_step(batch): ...       # raises at the end, with the lines that launch most

On a GPU the light detector watches. Under a pretend device its detector does. Without either, what a
parameter or a module's input touched counts as on the device, so that the guard also means something
in CI. A guard answers for the thread that entered it and for the backward passes it starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from perfkit import pretend
from perfkit.base.errors import PerfkitError
from perfkit.capture import device_calls
from perfkit.capture.budgets import (
    BudgetError,
    Copies,
    CopyBudgetError,
    LaunchBudgetError,
    Launches,
    SyncBudgetError,
    Syncs,
    allow,
)
from perfkit.detectors.evidence import listening
from perfkit.detectors.watch_cuda import watch_cuda

__all__ = [
    "no_sync", "max_syncs", "max_launches", "max_h2d_bytes", "allow_sync", "watching", "Watched",
    "BudgetError", "SyncBudgetError", "LaunchBudgetError", "CopyBudgetError",
]  # fmt: skip


@contextmanager
def no_sync(*, uncertain: bool = False) -> Iterator[None]:
    """Raise at the first synchronisation inside the block.

    Args:
        uncertain: also raise for syncs that depend on versions, drivers or placement.

    Raises:
        SyncBudgetError: at the line that synchronises.
    """
    with max_syncs(0, uncertain=uncertain):
        yield


@contextmanager
def max_syncs(limit: int, *, uncertain: bool = False) -> Iterator[None]:
    """Raise when the block synchronises more than `limit` times.

    Args:
        limit: how many synchronisations are allowed.
        uncertain: also count syncs that depend on versions, drivers or placement.

    Raises:
        SyncBudgetError: at the line that goes over the limit; all lines so far are named. At the end
            of the block once more where the block swallowed it.
    """
    syncs = Syncs(limit, uncertain or not _placement_is_known())
    with listening(syncs), _device():
        yield
    syncs.check()


@contextmanager
def max_launches(limit: int) -> Iterator[None]:
    """Raise when the block runs more than `limit` operators on the device.

    An operator counts once, however many kernels it launches. Views, allocations, copies to the device
    and tensors made of nothing (`torch.zeros`) do not count.

    Raises:
        LaunchBudgetError: at the end of the block, with the lines that launch most.
    """
    launches = Launches(limit)
    with _device(), device_calls.device_calls(launches, Copies(None)):
        yield
    launches.settle()
    launches.check()


@contextmanager
def max_h2d_bytes(limit: int) -> Iterator[None]:
    """Raise when the block copies more than `limit` bytes from the host to the device.

    Copies from pinned memory count as well. Inside C++ only those that the catalogue knows are seen.

    Raises:
        CopyBudgetError: at the end of the block, with the lines that send most.
        PerfkitError: there is no device, and none is pretended: nothing would be copied.
    """
    _demand_a_device()
    copies = Copies(limit)
    with _device(), device_calls.device_calls(Launches(None), copies):
        yield
    copies.check()


class Watched:
    """What a block asked of the device; counts are final when the block has ended.

    Attributes:
        syncs, launches, copies: with `total`, `lines` and `costliest`; `copies` in bytes.
        copies_seen: False where there is no device that anything could be copied to.
    """

    def __init__(self, syncs: Syncs, launches: Launches, copies: Copies) -> None:
        self.syncs, self.launches, self.copies = syncs, launches, copies
        self.copies_seen = device_calls.observable()


@contextmanager
def watching(
    *,
    syncs: int | None = None,
    launches: int | None = None,
    h2d_bytes: int | None = None,
    uncertain: bool = False,
) -> Iterator[Watched]:
    """All budgets at once, and what was counted; None allows any amount.

    Raises:
        BudgetError: as the single guards do; a sync at its line, the others at the end.
        PerfkitError: `h2d_bytes` without a device.
    """
    if h2d_bytes is not None:
        _demand_a_device()
    counted = Watched(
        Syncs(syncs, uncertain or not _placement_is_known()), Launches(launches), Copies(h2d_bytes)
    )
    try:
        with (
            listening(counted.syncs),
            _device(),
            device_calls.device_calls(counted.launches, counted.copies),
        ):
            yield counted
    finally:
        counted.launches.settle()
    counted.syncs.check()
    counted.launches.check()
    counted.copies.check()


@contextmanager
def allow_sync(reason: str) -> Iterator[None]:
    """Synchronisations inside the block are meant, and no guard around it counts them.

    Args:
        reason: why; for the reader of the code.

    Raises:
        ValueError: no reason given.
    """
    if not reason.strip():
        raise ValueError("allow_sync wants the reason, for whoever reads the code next")
    allow(1)
    try:
        yield
    finally:
        allow(-1)


def _placement_is_known() -> bool:
    return torch.cuda.is_available()  # true under the pretend device as well


@contextmanager
def _device() -> Iterator[None]:
    """What watches: the pretence that runs, the GPU's detector, or an assumption."""
    with ExitStack() as stack:
        if not pretend.is_active():
            stack.enter_context(
                watch_cuda() if torch.cuda.is_available() else pretend.assume_moved()
            )
        yield


def _demand_a_device() -> None:
    if not device_calls.observable():
        raise PerfkitError(
            "there is no device here that anything could be copied to, so bytes cannot be counted",
            "in pytest ask for the fixture perfkit_pretend_cuda, or run with --perfkit-pretend-cuda; "
            "elsewhere use perfkit.pretend.pretend_cuda()",
        )
