"""Budgets for host-device synchronisation: `no_sync()` and `max_syncs(n)`, for code and for tests.

    with perfkit.guard.no_sync():
        loss = model(batch)          # raises at the line that synchronises

On a GPU the light detector watches. Under a pretend device its detector does. Without either, what a
parameter or a module's input touched counts as on the device, so that the guard also means something
in CI. A guard answers for the thread that entered it and for the backward passes it starts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from perfkit import pretend
from perfkit.detectors.evidence import Hit, listening
from perfkit.detectors.places import resolve
from perfkit.detectors.watch_cuda import watch_cuda

_allowed = threading.local()


class SyncBudgetError(AssertionError):
    """More host-device synchronisations than the guard allows; the text names lines and fixes."""


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
        SyncBudgetError: at the line that goes over the limit; all lines so far are named.
    """
    budget = _Budget(limit, uncertain or not _placement_is_known())
    with ExitStack() as stack:
        stack.enter_context(listening(budget))
        if not pretend.is_active():
            stack.enter_context(
                watch_cuda() if torch.cuda.is_available() else pretend.assume_moved()
            )
        yield


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
    depth = getattr(_allowed, "depth", 0)
    _allowed.depth = depth + 1
    try:
        yield
    finally:
        _allowed.depth = depth


def _placement_is_known() -> bool:
    return torch.cuda.is_available()  # true under the pretend device as well


class _Budget:
    """A sink that counts the hits of one thread against a limit."""

    def __init__(self, limit: int, uncertain: bool) -> None:
        self._limit = limit
        self._uncertain = uncertain
        self._thread = threading.get_ident()
        self._seen: dict[str, int] = {}
        self._total = 0

    def __call__(self, hit: Hit) -> None:
        mine = hit.backward or threading.get_ident() == self._thread
        allowed = getattr(_allowed, "depth", 0) > 0
        if not mine or allowed or not (hit.certain or self._uncertain):
            return
        self._total += hit.count
        line = _describe(hit)
        self._seen[line] = self._seen.get(line, 0) + hit.count
        if self._total > self._limit:
            raise SyncBudgetError(self._message())

    def _message(self) -> str:
        allowed = "none is" if self._limit == 0 else f"{self._limit} are"
        lines = "\n".join(f"  {count} x {line}" for line, count in self._seen.items())
        return f"{self._total} host-device synchronisations where {allowed} allowed:\n{lines}"


def _describe(hit: Hit) -> str:
    frames = resolve(hit.place)
    place = f"{frames[0]} in {frames[0].function}" if frames else "an unknown line"
    backward = " (in backward)" if hit.backward else ""
    return f"{hit.op} at {place}{backward}: {hit.fix}"
