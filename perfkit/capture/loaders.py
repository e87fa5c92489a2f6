"""What DataLoaders are set to and when the program waits for them: two readings of clocks per batch.

Patched while a capture runs, and put back: `DataLoader.__iter__` and the iterators' `__next__`. Only
the thread that began the capture is listened to: a batch that another thread asks for holds up no step.
The tensors of the first batches are counted, as each is handed over from a worker on its own.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from torch import Tensor, strided
from torch.utils.data import DataLoader, dataloader

from perfkit.model.loaders import MOST, LoaderUse, Wait

_LOADERS = 16
_COUNTED = 3
"""Batches whose tensors are counted, of each loader."""
_MOST_PARTS = 10_000
_SCHEDULER = Path("/proc/thread-self/schedstat")


@dataclass
class _Seen:
    """One loader while it is watched. `begun` is when the running epoch's iterator was asked for."""

    settings: LoaderUse
    begun: int | None = None
    last: int | None = None
    batches: int = 0
    starts: list[Wait] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    counted: int = 0
    tensors: int = 0
    nbytes: int = 0

    def count(self, batch: Any) -> None:
        """Look into one of the first batches."""
        if self.counted < _COUNTED:
            sizes = [_size(tensor) for tensor in _tensors(batch)]
            self.counted += 1
            self.tensors += len(sizes)
            self.nbytes += sum(sizes)

    def took(self, start: int, end: int, delay: int | None) -> None:
        self.batches += 1
        if self.begun is not None:
            start, self.begun = self.begun, None
            if len(self.starts) < MOST:
                self.starts.append((start, end))
        elif len(self.waits) < MOST:
            self.waits.append((start, end))
            if delay is not None:
                self.delays.append(delay)

    def use(self) -> LoaderUse:
        known = {name: getattr(self.settings, name) for name in _SETTINGS}
        whole = len(self.delays) == len(self.waits)
        return LoaderUse(
            **known,
            batches=self.batches,
            starts=tuple(self.starts),
            waits=tuple(self.waits),
            delays=tuple(self.delays) if whole else (),
            tensors=self.tensors / self.counted if self.counted else None,
            nbytes=self.nbytes / self.counted if self.counted else None,
        )


_SETTINGS = (
    "dataset",
    "batch_size",
    "num_workers",
    "pin_memory",
    "prefetch_factor",
    "persistent_workers",
    "length",
)


class LoaderLog:
    """The first loaders of one capture, known by identity: a dead one's comes again with other settings,
    or it is built anew for each epoch and counts as the same one."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._busy = False
        self._all: list[_Seen] = []
        self._seen: dict[int, _Seen] = {}
        self._of_iterator: dict[int, _Seen] = {}

    def seen(self) -> tuple[LoaderUse, ...]:
        """Those that handed over a batch, in the order in which they were first used."""
        return tuple(seen.use() for seen in self._all if seen.batches)

    def iterated(self, loader: Any, iterator: Any, now: int) -> None:
        """An epoch begins."""
        if threading.get_ident() != self._thread:
            return
        settings = _settings(loader)
        seen = self._seen.get(id(loader))
        if seen is None or seen.settings != settings:
            if len(self._all) >= _LOADERS:
                return
            seen = self._seen[id(loader)] = _Seen(settings)
            self._all.append(seen)
        if seen.last != id(iterator) or not settings.persistent_workers:
            seen.begun = now
        seen.last = id(iterator)
        self._of_iterator[id(iterator)] = seen

    def batch(self, iterator: Any, call: Callable[[Any], Any]) -> Any:
        """A batch is asked for; the outermost loader's counts."""
        seen = self._of_iterator.get(id(iterator))
        if seen is None or self._busy or threading.get_ident() != self._thread:
            return call(iterator)
        self._busy = True
        before, start = _delay(), perf_counter_ns()
        try:
            found = call(iterator)
        finally:
            self._busy = False
        end, after = perf_counter_ns(), _delay()
        seen.took(start, end, None if before is None or after is None else after - before)
        seen.count(found)
        return found


@contextmanager
def watching_loaders(log: LoaderLog) -> Iterator[None]:
    """Tell `log` of every epoch and batch inside the block."""
    originals = DataLoader.__iter__, dataloader._BaseDataLoaderIter.__next__
    start, following = originals

    @functools.wraps(start)
    def perfkit_iter(self: Any) -> Any:
        now = perf_counter_ns()
        iterator = start(self)
        log.iterated(self, iterator, now)
        return iterator

    @functools.wraps(following)
    def perfkit_next(self: Any) -> Any:
        return log.batch(self, following)

    DataLoader.__iter__ = perfkit_iter
    dataloader._BaseDataLoaderIter.__next__ = perfkit_next
    try:
        yield
    finally:
        if DataLoader.__iter__ is perfkit_iter:
            DataLoader.__iter__ = start
        if dataloader._BaseDataLoaderIter.__next__ is perfkit_next:
            dataloader._BaseDataLoaderIter.__next__ = following


def _tensors(batch: Any) -> Iterator[Tensor]:
    """Tensors of a batch, each once: in tuples, lists, mappings, and attributes of a program's objects."""
    left: list[Any] = [batch]
    seen: set[int] = set()
    while left and len(seen) < _MOST_PARTS:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Tensor):
            yield part
        elif isinstance(part, Mapping):
            left.extend(islice(part.values(), _MOST_PARTS))
        elif isinstance(part, (tuple, list)):
            left.extend(part[:_MOST_PARTS])
        else:
            left.extend(islice(getattr(part, "__dict__", {}).values(), _MOST_PARTS))


def _size(tensor: Tensor) -> int:
    return tensor.nbytes if tensor.layout == strided else 0


def _delay() -> int | None:
    """For how long this thread was ready to run without a core so far, ns, as Linux's scheduler counts."""
    try:
        return int(_SCHEDULER.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _settings(loader: Any) -> LoaderUse:
    return LoaderUse(
        dataset=type(loader.dataset).__name__,
        batch_size=loader.batch_size,
        num_workers=loader.num_workers,
        pin_memory=bool(loader.pin_memory),
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=bool(loader.persistent_workers),
        length=_length(loader),
    )


def _length(loader: Any) -> int | None:
    """Batches per epoch. A dataset without a length raises TypeError; a program's own may fail anyhow."""
    try:
        return len(loader)
    except (TypeError, NotImplementedError, AttributeError, ValueError):
        return None
