"""The prediction loop of any configuration: streaming, in order of logid, with honest clocks.

`dispatch_s` is what a timer around the model sees that does not wait for the device;
`completed_s` adds the time that passed in waiting for it afterwards. Where the second is much more
than the first, time escaped past the timer: a change that lets the first drop may only have moved a
wait out of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .config import Config
from .data import Batch
from .model import Ranker
from .packing import Packed
from .rewritten import RewrittenRanker

ESCAPED_SHARE = 0.1
"""Of the completed time: from here on it is said that time escaped past the timer."""
FLUSH_EVERY = 16
"""Batches whose probabilities stay on the device until they are read together."""

Array = NDArray[Any]


class Program(Protocol):
    """What the loop needs of a model and its batches."""

    def moved(self, batch: Any) -> Any:
        """The batch on the device."""

    def forward(self, batch: Any) -> Tensor:
        """Probabilities; everything that the timer is around."""

    def keep(self, batch: Any, probabilities: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
        """(logids, labels, probabilities) of the rows to predict, and how many rows there were."""


@dataclass(frozen=True)
class FoundProgram:
    """All rows are computed, and three tensors are read by a boolean mask after every batch."""

    model: Ranker
    device: torch.device

    def moved(self, batch: Batch) -> Batch:
        return batch.to(self.device)

    def forward(self, batch: Batch) -> Tensor:
        return torch.sigmoid(self.model(batch))

    def keep(self, batch: Batch, probabilities: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
        mine = probabilities[batch.pred_mask].cpu()
        return (
            batch.logid[batch.pred_mask].cpu(),
            batch.label[batch.pred_mask].cpu(),
            mine,
            probabilities.numel(),
        )


@dataclass(frozen=True)
class RewrittenProgram:
    """Only rows to predict come out; their logids and labels never left the host."""

    model: RewrittenRanker
    device: torch.device

    def moved(self, batch: Packed) -> Packed:
        return batch.to(self.device)

    def forward(self, batch: Packed) -> Tensor:
        return torch.sigmoid(self.model(batch))

    def keep(self, batch: Packed, probabilities: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
        return batch.logid, batch.label, probabilities, batch.rows


@dataclass
class Clocks:
    """Seconds; `waited_s` lies outside the timer."""

    dispatch_s: float = 0.0
    waited_s: float = 0.0
    total_s: float = 0.0
    batches: int = 0
    rows: int = 0

    @property
    def completed_s(self) -> float:
        """Dispatch, and the waits after it until results were on the host."""
        return self.dispatch_s + self.waited_s

    @property
    def escaped(self) -> bool:
        """True when a good part of the time passed after the timer had stopped."""
        return self.waited_s > ESCAPED_SHARE * self.completed_s


@dataclass
class _Waiting:
    """Results on their way to the host."""

    logids: list[Tensor] = field(default_factory=list)
    labels: list[Tensor] = field(default_factory=list)
    probabilities: list[Tensor] = field(default_factory=list)

    def taken(self) -> tuple[Array, Array, Array]:
        """Everything on the host, by one read."""
        parts = (self.logids, self.labels, self.probabilities)
        logids, labels, probabilities = (torch.cat(part).cpu().numpy() for part in parts)
        for part in parts:
            part.clear()
        return logids, labels, probabilities


@torch.no_grad()
def stream(
    program: Program, loader: Iterable[Any], config: Config, device: torch.device, clocks: Clocks
) -> Iterator[tuple[Array, Array, Array]]:
    """(logids, labels, probabilities) of the rows to predict, some batches at a time.

    Whatever stands here holds at most `FLUSH_EVERY` batches' results. As found, every batch is read.
    """
    began = time.perf_counter()
    waiting = _Waiting()
    flush_every = 1 if config.as_found else FLUSH_EVERY
    for batch in loader:
        batch = program.moved(batch)
        started = time.perf_counter()
        probabilities = program.forward(batch)
        if config.synced_timer:
            wait(device)
        ended = time.perf_counter()
        logids, labels, mine, rows = program.keep(batch, probabilities)
        clocks.batches += 1
        clocks.rows += rows
        waiting.logids.append(logids)
        waiting.labels.append(labels)
        waiting.probabilities.append(mine)
        result = waiting.taken() if clocks.batches % flush_every == 0 else None
        clocks.dispatch_s += ended - started
        clocks.waited_s += time.perf_counter() - ended
        if result:
            yield result
    ended = time.perf_counter()
    if waiting.logids:
        result = waiting.taken()
        clocks.waited_s += time.perf_counter() - ended
        yield result
    clocks.total_s = time.perf_counter() - began


def wait(device: torch.device) -> None:
    """Until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_logid_order(
    parts: Iterable[tuple[Array, Array, Array]],
) -> tuple[Array, Array, Array]:
    """All parts together, rows by logid."""
    collected = list(parts)
    if not collected:
        return np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32)
    logids, labels, probabilities = (
        np.concatenate(column) for column in zip(*collected, strict=True)
    )
    order = np.argsort(logids, kind="stable")
    return logids[order], labels[order], probabilities[order]
