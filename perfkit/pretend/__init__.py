"""The pretend CUDA device: an unmodified script believes in CUDA, on a machine that has none.

Every tensor stays a plain CPU tensor with real values; the device is a tag on its storage (`tags`).
Attributes of torch are replaced so that the script hears what it wants to hear (`tensors`,
`factories`, `cuda_module`, `surroundings`), and a dispatch mode carries the tags from inputs to
outputs and judges every call by the catalogue (`placement`). Whatever CUDA would have copied or
waited for is published as a `Hit`.

Replacing attributes instead of entering a TorchFunctionMode costs nothing per operator, works in
every thread, and is not popped inside overridable functions such as `Tensor.backward`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch.utils._python_dispatch import _disable_current_modes

from perfkit.base.errors import PerfkitError
from perfkit.model.run import Gap
from perfkit.pretend import cuda_module, factories, moved, surroundings, tags, tensors
from perfkit.pretend.patching import Patches
from perfkit.pretend.placement import Placement, nested_reads
from perfkit.pretend.watch import Record, Watch


class Pretence:
    """A running pretence, as capture sees it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    @property
    def classify(self) -> bool:
        """False tracks placement only: nothing is judged, nothing published."""
        return self._watch.classify

    @classify.setter
    def classify(self, value: bool) -> None:
        self._watch.classify = value

    @property
    def record(self) -> Record | None:
        """Makes the calls on the device and looks at them; None most of the time."""
        return self._watch.record

    @record.setter
    def record(self, value: Record | None) -> None:
        self._watch.record = value

    @property
    def used(self) -> bool:
        """Anything was ever placed on the device."""
        return self._watch.used

    @property
    def dispatched(self) -> int:
        """Operators run on device tensors so far, views and allocations left out."""
        return self._watch.dispatched

    @property
    def calls(self) -> int:
        """Everything the dispatch mode was asked about so far, views and host work included."""
        return self._watch.calls

    def call_cost_ns(self) -> float:
        """What the pretence adds to one operator call on this machine, in ns, measured now."""
        with self._watch.quietly():
            value = torch.ones(1)
            self._watch.place(value, "cuda")
            pretended = _best_ns(value)
            with _disable_current_modes():
                bare = _best_ns(value)
        return max(0.0, pretended - bare)

    def notes(self) -> tuple[Gap, ...]:
        """What could not be imitated or looked at, with reasons."""
        return self._watch.notes()


def _best_ns(value: torch.Tensor, rounds: int = 7, calls: int = 200) -> float:
    """Nanoseconds of one tiny operator: the best round, since noise only ever adds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter_ns()
        for _ in range(calls):
            torch.add(value, value)
        best = min(best, (time.perf_counter_ns() - began) / calls)
    return best


_active: Watch | None = None


def is_active() -> bool:
    """True inside `pretend_cuda` or `assume_moved`."""
    return _active is not None


def watch_in_force() -> Watch | None:
    """What the running pretence knows; None where there is none."""
    return _active


@contextmanager
def pretend_cuda() -> Iterator[Pretence]:
    """Inside the block the program believes in one CUDA device.

    Raises:
        PerfkitError: a pretence is already on.
    """
    with _pretence(assumed=False) as pretence:
        yield pretence


@contextmanager
def assume_moved() -> Iterator[Pretence]:
    """Inside the block whatever a parameter or a batch touched counts as on the device; no lies.

    Raises:
        PerfkitError: a pretence is already on.
    """
    with _pretence(assumed=True) as pretence:
        yield pretence


@contextmanager
def _pretence(assumed: bool) -> Iterator[Pretence]:
    global _active
    if _active is not None:
        raise PerfkitError("a pretend device is already active", "use one session at a time")
    watch, patches = Watch(assumed), Patches()
    _active = watch
    try:
        with ExitStack() as stack:
            stack.callback(patches.undo)
            if assumed:
                moved.install(watch, patches)
            else:
                for room in (tensors, factories, cuda_module, surroundings):
                    room.install(watch, patches)
            surroundings.install_threads(watch, patches)
            _enter_reads(watch, patches, stack)
            stack.enter_context(Placement(watch))
            yield Pretence(watch)
    finally:
        _active = None
        tags.clear()


def _enter_reads(watch: Watch, patches: Patches, stack: ExitStack) -> None:
    reads = nested_reads(watch)
    if reads is None:
        tensors.install_printing(watch, patches)
        watch.note(
            "reads inside C++ kernels",
            "this torch has no torch.library.get_kernel (2.9 and later have)",
        )
    else:
        stack.enter_context(reads)
