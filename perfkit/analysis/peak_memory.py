"""The peak of device memory and what it consists of, from the live recording or from a trace."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from perfkit.analysis.device_samples import devices, values
from perfkit.analysis.memory_holders import memory_holders
from perfkit.base.errors import NotApplicable
from perfkit.model.events import Events
from perfkit.model.memory import Category, Held, StepMemory
from perfkit.model.run import Run
from perfkit.model.table import Column, Table

LEAST_BYTES = 256 << 20
"""Where nobody knows how much memory the device has, a smaller peak is nobody's problem."""

_COLUMNS = (
    Column("category"),
    Column("nbytes", "bytes"),
    Column("share", "ratio"),
    Column("tensors"),
    Column("op"),
    Column("module"),
    Column("file"),
    Column("line"),
    Column("function"),
)


@dataclass(frozen=True)
class PeakMemory:
    """The peak of one device.

    Attributes:
        step: what was alive; `live` tells whether the live recording says so, or a trace.
        capacity: bytes that the device has; None where not known.
    """

    step: StepMemory
    live: bool
    capacity: int | None = None

    @property
    def full(self) -> float | None:
        """Share of the device's memory that the peak takes; None unknown."""
        return self.step.peak_bytes / self.capacity if self.capacity else None

    def short(self, share: float) -> bool:
        """Memory is short: the peak takes this share of the device, or is large where that is unknown."""
        if self.full is None:
            return self.step.peak_bytes >= LEAST_BYTES
        return self.full >= share

    @property
    def categories(self) -> Mapping[Category, int]:
        """Bytes by category, the largest first."""
        sums: defaultdict[Category, int] = defaultdict(int)
        for each in self.step.held:
            sums[each.category] += each.nbytes
        return dict(sorted(sums.items(), key=lambda pair: -pair[1]))

    def largest(self, category: Category) -> Held:
        """The line that holds most of a category."""
        return max((h for h in self.step.held if h.category == category), key=lambda h: h.nbytes)


def peak_memory(run: Run) -> PeakMemory:
    """The peak of a step.

    Raises:
        NotApplicable: nobody recorded what was alive.
        NotObservable: it was recorded, but not closely enough.
    """
    if run.memory is not None and run.memory.step is not None:
        return PeakMemory(run.memory.step, True, capacity(run))
    if not isinstance(run.events, Events) or not len(run.events.memory):
        how = " (profile_memory=True records it in a trace)" if run.source == "trace" else ""
        raise NotApplicable(f"nobody recorded what was alive on the device{how}")
    return PeakMemory(memory_holders(run.events), False, capacity(run))


def capacity(run: Run) -> int | None:
    """Bytes of memory of the smallest device in the run; None where not known."""
    if run.device != "cuda":
        return None
    totals = [float(n) for each in devices(run.samples) for n in values(each, "memory_total")[-1:]]
    if not totals and isinstance(run.events, Events):
        told = run.events.metadata.get("deviceProperties")
        some = [d.get("totalGlobalMem") for d in told or () if isinstance(d, Mapping)]
        totals = [float(n) for n in some if isinstance(n, int) and n > 0]
    known = [total for total in totals if math.isfinite(total) and total > 0]
    return round(min(known)) if known else None


def peak_memory_table(peak: PeakMemory) -> Table:
    """What was alive at the peak, one row per category and line."""
    rows = []
    for each in peak.step.held:
        place = each.place
        where = (place.file, place.line, place.function) if place else (None, None, None)
        share = each.nbytes / peak.step.peak_bytes if peak.step.peak_bytes else 0.0
        about = (each.tensors or None, each.op or None, each.module)
        rows.append((each.category, each.nbytes, share, *about, *where))
    return Table(_COLUMNS, tuple(rows))
