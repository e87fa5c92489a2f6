"""Reading a history: the plain reader against the one for the users asked about, time and memory.

Each reader runs in a process of its own, so that the high-water mark is its own.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

import torch

from perfkit.rewrites.filtered_history import found

from .config import CONFIGS, Config
from .history import load, write_history
from .memory import Peak, PeakMemory

USERS = 2_000


@dataclass(frozen=True)
class Reader:
    """CPU seconds, and the most memory above what the process held before."""

    cpu_s: float
    peak: Peak


@dataclass(frozen=True)
class Loading:
    """Both readers on one file, and the second opening from the cache."""

    rows: int
    found: Reader
    filtered: Reader
    cached: Reader

    @property
    def times_faster(self) -> float:
        return self.found.cpu_s / self.filtered.cpu_s

    @property
    def memory_share(self) -> float | None:
        """Of the plain reader's memory; None where it cannot be known."""
        mine, whole = self.filtered.peak.bytes, self.found.peak.bytes
        return mine / whole if mine is not None and whole else None


def history_loading(users: int = USERS) -> Loading:
    """Write the histories of some drawn users to a temporary file and read them three ways."""
    config = replace(CONFIGS["laptop"], users=users, batches=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        rows = write_history(config, path)
        readers = {name: _apart(name, path, config) for name in ("found", "filtered")}
        load([path], config.slots, path.parent)
        return Loading(rows, cached=_apart("cached", path, config), **readers)


def _apart(name: str, path: Path, config: Config) -> Reader:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(read_once, (name, path, config.slots))


def read_once(name: str, path: Path, slots: int) -> Reader:
    """Read a file as `found`, `filtered` or `cached` (in its own folder), measured."""
    readers: dict[str, Any] = {
        "found": lambda: found(partial(FileIO, path), slots),
        "filtered": lambda: load([path], slots),
        "cached": lambda: load([path], slots, path.parent),
    }
    memory = PeakMemory(torch.device("cpu"))
    began = time.process_time()
    kept = readers[name]()
    taken = Reader(time.process_time() - began, memory.taken())
    del kept
    return taken
