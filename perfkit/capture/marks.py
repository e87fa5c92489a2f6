"""Where step marks come from: hooks into torch that cost nothing per operator.

Patched while a capture runs, and put back: `nn.Module.__call__` (only the outermost call counts),
the DataLoader's `__iter__` and `__next__`, the autograd engine's entry, `Optimizer.__init__` and the
optimizers' global post-step hook. Only the thread that made the first mark is listened to.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns
from typing import Any, Protocol

import torch
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.utils.data import dataloader

from perfkit.capture.loaders import LoaderLog, watching_loaders
from perfkit.model.loaders import LoaderUse


class Ear(Protocol):
    """Who hears the marks."""

    def forward_started(self, key: int, now: int) -> None: ...
    def forward_ended(self, key: int, model: str, learns: bool, now: int) -> None: ...
    def loader_next(self, key: int, now: int) -> None: ...
    def loader_exhausted(self, key: int) -> None: ...
    def backward_started(self, now: int) -> None: ...
    def optimizer_made(self) -> None: ...
    def optimizer_stepped(self, key: int, now: int) -> None: ...


class _Nesting:
    """Whether the listened-to thread is inside a module or a backward (`inside`), or a backward."""

    __slots__ = ("backward", "inside", "thread")

    def __init__(self) -> None:
        self.thread: int | None = None
        self.inside = False
        self.backward = False

    def mine(self) -> bool:
        """True on the thread of the first mark."""
        here = threading.get_ident()
        if self.thread is None:
            self.thread = here
        return self.thread == here


_log = LoaderLog()


def loaders_seen() -> tuple[LoaderUse, ...]:
    """The DataLoaders of the last `marking`, as far as they were used."""
    return _log.seen()


@contextmanager
def marking(ear: Ear) -> Iterator[None]:
    """Report marks to `ear` inside the block."""
    global _log
    nesting, _log = _Nesting(), LoaderLog()
    with ExitStack() as patches:
        patches.enter_context(watching_loaders(_log))
        patches.enter_context(_modules(ear, nesting))
        patches.enter_context(_loaders(ear, nesting))
        patches.enter_context(_backwards(ear, nesting))
        patches.enter_context(_optimizers(ear, nesting))
        yield


@contextmanager
def replaced(owner: Any, name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """`owner.name` wrapped inside the block; left alone afterwards if somebody else wrapped it too."""
    original = getattr(owner, name)
    ours = wrap(original)
    setattr(owner, name, ours)
    try:
        yield
    finally:
        if getattr(owner, name) is ours:
            setattr(owner, name, original)


@contextmanager
def _modules(ear: Ear, nesting: _Nesting) -> Iterator[None]:
    compiling = torch.compiler.is_compiling

    def wrap(call: Any) -> Any:
        def perfkit_module_call(self: Any, *args: Any, **kwargs: Any) -> Any:
            # Inner calls leave first: this line is all that a module in a module costs. Dynamo
            # folds `compiling()` to a constant and never sees the rest.
            if nesting.inside or compiling() or not nesting.mine():
                return call(self, *args, **kwargs)
            nesting.inside = True
            try:
                ear.forward_started(id(self), perf_counter_ns())
                result = call(self, *args, **kwargs)
            finally:
                nesting.inside = False
            ear.forward_ended(
                id(self), type(self).__name__, torch.is_grad_enabled(), perf_counter_ns()
            )
            return result

        return perfkit_module_call

    with replaced(torch.nn.Module, "__call__", wrap):
        yield


@contextmanager
def _loaders(ear: Ear, nesting: _Nesting) -> Iterator[None]:
    def wrap(call: Any) -> Any:
        @functools.wraps(call)
        def perfkit_loader_next(self: Any) -> Any:
            if not nesting.mine():
                return call(self)
            key = id(getattr(self, "_dataset", self))
            ear.loader_next(key, perf_counter_ns())
            # modules that prepare data in here are not the model
            was_inside, nesting.inside = nesting.inside, True
            try:
                return call(self)
            except StopIteration:
                ear.loader_exhausted(key)
                raise
            finally:
                nesting.inside = was_inside

        return perfkit_loader_next

    with replaced(dataloader._BaseDataLoaderIter, "__next__", wrap):
        yield


@contextmanager
def _backwards(ear: Ear, nesting: _Nesting) -> Iterator[None]:
    def wrap(call: Any) -> Any:
        @functools.wraps(call)
        def perfkit_backward(*args: Any, **kwargs: Any) -> Any:
            if nesting.backward or not nesting.mine():
                return call(*args, **kwargs)
            # a forward in here is a checkpoint's, not the program's
            was_inside, nesting.inside, nesting.backward = nesting.inside, True, True
            try:
                ear.backward_started(perf_counter_ns())
                return call(*args, **kwargs)
            finally:
                nesting.inside, nesting.backward = was_inside, False

        return perfkit_backward

    with (
        replaced(torch.autograd.graph, "_engine_run_backward", wrap),
        replaced(torch.autograd, "_engine_run_backward", wrap),
    ):
        yield


@contextmanager
def _optimizers(ear: Ear, nesting: _Nesting) -> Iterator[None]:
    def wrap(init: Any) -> Any:
        @functools.wraps(init)
        def perfkit_optimizer_init(self: Any, *args: Any, **kwargs: Any) -> None:
            ear.optimizer_made()
            init(self, *args, **kwargs)

        return perfkit_optimizer_init

    def stepped(optimizer: Any, args: Any, kwargs: Any) -> None:
        if nesting.mine():
            ear.optimizer_stepped(id(optimizer), perf_counter_ns())

    handle = register_optimizer_step_post_hook(stepped)
    try:
        with replaced(Optimizer, "__init__", wrap):
            yield
    finally:
        handle.remove()
