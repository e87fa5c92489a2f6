"""Device time that only changes how tensors lie in memory, from a trace.

Two kinds: copies that `contiguous` and `reshape` make of tensors whose order does not fit (an operator
around the copy says so), and kernels with which cuDNN and MIOpen turn channels-first images into
channels-last ones and back, told by their names. Time is of the kernels, by cause and module; streams
may overlap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfkit.analysis._costed_calls import topmost
from perfkit.analysis.kernels import in_steps
from perfkit.analysis.trace_modules import module_paths
from perfkit.analysis.trace_reading import trace_reading
from perfkit.io.trace_frames import Around
from perfkit.io.trace_ops import op_parents
from perfkit.model.events import UNKNOWN, Events, Ints
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table

TURNED = "turned for convolutions"
COPIED = "copied to be contiguous"
_KERNEL = re.compile(r"nchwToNhwc|nhwcToNchw|convertTensor|batched_transpose|SubTensorOpWithCast")
_OPS = ("aten::contiguous", "aten::reshape", "aten::_reshape_copy", "aten::flatten")
_COLUMNS = (
    Column("cause"), Column("name"), Column("module"), Column("calls", "per step"),
    Column("time_ns", "ns"),
)  # fmt: skip


@dataclass(frozen=True)
class LayoutCopies:
    """Kernels of one cause in one module, over all steps.

    Attributes:
        name: of the kernel, or of the operator that copied.
        first: row of the operator that launched the first of them; UNKNOWN where none is recorded.
    """

    cause: str
    name: str
    module: str | None
    calls: int
    time_ns: int
    first: int


@dataclass(frozen=True)
class LayoutWork:
    """All of them, the longest first; `device_ns` is the time of all device work of the steps."""

    copies: tuple[LayoutCopies, ...]
    steps: int
    device_ns: int

    def of(self, cause: str) -> tuple[LayoutCopies, ...]:
        return tuple(each for each in self.copies if each.cause == cause)

    def self_check(self) -> None:
        """Raise AssertionError unless the parts are no more than the whole."""
        assert sum(each.time_ns for each in self.copies) <= self.device_ns


def layout_work(events: Events) -> LayoutWork:
    """The layout changes in the steps of a trace; empty where no device work is recorded."""
    reading = trace_reading(events)
    work, inside = reading.work, in_steps(events, reading.steps, reading.work)
    rows, owner = work.rows[inside], reading.owner[inside]
    time = (work.end - work.start)[inside]
    turned = events.named(name for name in events.names if _KERNEL.search(name))[rows]
    around = np.r_[topmost(op_parents(events), events.named(_OPS)), UNKNOWN][owner]
    copied = (around != UNKNOWN) & ~turned & ~work.is_comm[inside]
    name = np.where(turned, events.name[rows], events.name[around])
    paths, module = module_paths(events, np.where(owner == UNKNOWN, 0, owner))
    module = np.where(owner == UNKNOWN, UNKNOWN, module)
    chosen = turned | copied
    keys = np.stack([turned, name, module])[:, chosen]
    found = _summed(keys, time[chosen], owner[chosen], events.names, paths)
    copies = tuple(sorted(found, key=lambda each: (-each.time_ns, each.name)))
    return LayoutWork(copies, max(1, len(reading.steps.windows)), int(time.sum()))


def layout_work_table(found: LayoutWork) -> Table:
    """By cause, name and module; calls and times are per step."""
    rows = tuple(
        (each.cause, each.name, each.module, each.calls / found.steps,
         round(each.time_ns / found.steps))
        for each in found.copies
    )  # fmt: skip
    return Table(_COLUMNS, rows)


def place_of(events: Events, copies: LayoutCopies) -> Frame | None:
    """The innermost frame of the program around the first of them; None where no stack tells."""
    return next(iter(Around(events).frames(copies.first)), None)


def _summed(
    keys: Ints, time: Ints, owner: Ints, names: tuple[str, ...], paths: tuple[str, ...]
) -> Iterator[LayoutCopies]:
    distinct, first, group = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    calls = np.bincount(group.ravel(), minlength=distinct.shape[1])
    sums = np.zeros(distinct.shape[1], np.int64)
    np.add.at(sums, group.ravel(), time)
    columns = (calls.tolist(), sums.tolist(), owner[first].tolist())
    for (turned, name, module), count, ns, row in zip(distinct.T.tolist(), *columns, strict=True):
        path = paths[module] if module != UNKNOWN else None
        yield LayoutCopies(TURNED if turned else COPIED, names[name], path, count, ns, row)
