"""How much of a device its kernels fill: blocks against units, and resident warps as Kineto estimates them.

A block runs on one unit (SM or CU), so a kernel of fewer blocks than units leaves the others without
work for as long as it runs. That is exact, and independent of what the kernel does; `idle_unit_ns` is
its duration times the share of units without a block. Occupancy, the share of warps that could be
resident and are, is told beside it and judged by nothing here: good matrix products have a low one.

Not modelled: kernels that run at the same time on other streams and fill those units; the last, partly
filled round of kernels with many blocks (`wave_quantisation`). Communication, which needs few units by
design, is left out, and so is what lies in no step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.base.errors import NotObservable
from perfkit.model.events import UNKNOWN, Events, Ints, Mask
from perfkit.model.table import Column, Table

_TOLD = 0.8
"""Share of the kernels' time whose grid must be known."""


@dataclass(frozen=True)
class Kernel:
    """All calls of one kernel whose grids leave units empty.

    Attributes:
        blocks: median.
        occupancy: percent, mean over time; None where not told.
        row: the longest one's row in the events.
    """

    name: str
    calls: int
    total_ns: int
    idle_unit_ns: int
    blocks: int
    occupancy: float | None
    row: int


@dataclass(frozen=True)
class GridFilling:
    """Computing kernels of the busiest device in the steps; sums of durations, ns.

    Attributes:
        units: of the device.
        kernels: those with fewer blocks than units, the most idle first.
        total_ns: of all kernels with a known grid; few_ns: of those with fewer blocks than units.
        idle_unit_ns: of `few_ns`, what falls to units without a block.
        rows: of the kernels with few blocks, in the events; idle: their `idle_unit_ns`.
        occupancy: percent, over the time of all kernels that tell it; None where none does.
    """

    device: int
    units: int
    kernels: tuple[Kernel, ...]
    total_ns: int
    few_ns: int
    idle_unit_ns: int
    rows: Ints
    idle: Ints
    occupancy: float | None

    @property
    def share(self) -> float:
        """Share of the kernels' time in which units had no block."""
        return self.few_ns / self.total_ns if self.total_ns else 0.0

    def self_check(self) -> None:
        """Raise AssertionError where the parts contradict the whole; tests call it."""
        assert 0 <= self.idle_unit_ns <= self.few_ns <= self.total_ns
        assert sum(kernel.total_ns for kernel in self.kernels) == self.few_ns
        assert int(self.idle.sum()) == self.idle_unit_ns


def grid_filling(events: Events, work: DeviceWork, steps: TraceSteps) -> GridFilling:
    """The kernels of the busiest device.

    Raises:
        NotObservable: no kernel ran, grids or units are not told, or grids of too few kernels.
    """
    if not work.devices:
        raise NotObservable("the trace holds no work of a device")
    device = work.devices[0]
    units = device_property(events.metadata, device, "numSms")
    if units is None:
        raise NotObservable("the trace does not tell how many units the device has")
    work = work.of(device)
    chosen: Mask = ~work.is_comm & ~work.is_copy & (steps.index_of(work.start) != UNKNOWN)
    rows, took = work.rows[chosen], (work.end - work.start)[chosen]
    if not took.sum():
        raise NotObservable("no kernel computes in a step")
    grids = events.grids
    at = np.searchsorted(grids.rows, rows)
    known = np.isin(rows, grids.rows)
    if took[known].sum() < _TOLD * took.sum():
        share = int(took[known].sum()) / int(took.sum())
        raise NotObservable(f"the trace tells the grids of {share:.0%} of the kernels' time")
    rows, took, at = rows[known], took[known], at[known]
    few = grids.blocks[at] < units
    idle = (took * (1 - np.minimum(grids.blocks[at] / units, 1.0))).astype(np.int64)
    kernels = _kernels(events, rows[few], took[few], idle[few], at[few])
    return GridFilling(
        device=device,
        units=units,
        kernels=kernels,
        total_ns=int(took.sum()),
        few_ns=int(took[few].sum()),
        idle_unit_ns=int(idle[few].sum()),
        rows=rows[few],
        idle=idle[few],
        occupancy=_occupancy(grids.occupancy[at], took),
    )


def grid_filling_table(found: GridFilling, most: int = 50) -> Table:
    """A row per kernel with fewer blocks than units, over all steps."""
    columns = (
        Column("kernel"),
        Column("calls"),
        Column("total_ns", "ns"),
        Column("idle_unit_ns", "ns"),
        Column("blocks"),
        Column("units"),
        Column("occupancy_percent"),
    )
    rows = tuple(
        (k.name, k.calls, k.total_ns, k.idle_unit_ns, k.blocks, found.units, k.occupancy)
        for k in found.kernels[:most]
    )
    return Table(columns, rows)


def _kernels(events: Events, rows: Ints, took: Ints, idle: Ints, at: Ints) -> tuple[Kernel, ...]:
    codes, group = np.unique(events.name[rows], return_inverse=True)
    found = []
    for number, code in enumerate(codes.tolist()):
        mine = np.flatnonzero(group == number)
        found.append(
            Kernel(
                name=events.names[code],
                calls=len(mine),
                total_ns=int(took[mine].sum()),
                idle_unit_ns=int(idle[mine].sum()),
                blocks=int(np.median(events.grids.blocks[at[mine]])),
                occupancy=_occupancy(events.grids.occupancy[at[mine]], took[mine]),
                row=int(rows[mine[np.argmax(took[mine])]]),
            )
        )
    return tuple(sorted(found, key=lambda kernel: -kernel.idle_unit_ns))


def _occupancy(percent: Ints, took: Ints) -> float | None:
    known = (percent != UNKNOWN) & (took > 0)
    return float(np.average(percent[known], weights=took[known])) if known.any() else None


def device_property(metadata: Mapping[str, Any], device: int, name: str) -> int | None:
    """A whole number that the trace tells of a device; where it numbers them otherwise, of all alike."""
    told = metadata.get("deviceProperties")
    known = [each for each in told if isinstance(each, Mapping)] if isinstance(told, list) else []
    mine = [each for each in known if each.get("id") == device] or known
    values = {each.get(name) for each in mine}
    value = values.pop() if len(values) == 1 else None
    return value if isinstance(value, int) and value > 0 else None
