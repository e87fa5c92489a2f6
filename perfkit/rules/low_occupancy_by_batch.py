"""Kernels have fewer blocks than the device has units: the batch is too small for it.

What it does
    Compares the blocks of every computing kernel of the trace with the device's units (SMs or CUs).
    Speaks up where kernels with fewer blocks take half of the kernels' time and a tenth of the step.

Why it hurts
    A block runs on one unit. A kernel of 32 blocks on 132 units leaves three quarters of the device
    without work for as long as it runs, and takes no longer for four times as much data.

How the saving is estimated
    The time of units without a block, in kernels other than matrix products: 0, 20 and 100 % of it, for
    the same number of samples. Products are counted by tensor-cores-unused where their costs are known.
    A larger batch makes a step longer, and the same data takes fewer steps: what is saved is per sample.

When not to act
    When single requests must be answered at once; when kernels on several streams fill the device
    together; when the device mostly waits for launches, which a larger batch helps as well, but so does
    a CUDA graph. A larger batch changes what is learned, unless the learning rate follows.
"""

from __future__ import annotations

import numpy as np

from perfkit.analysis.device_samples import devices, values
from perfkit.analysis.grid_filling import GridFilling, device_property, grid_filling
from perfkit.analysis.trace_reading import TraceReading, trace_reading
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import UNKNOWN, Events, Mask
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_SHARE = 0.5
_OF_STEP = 0.1
_ROOM = 0.7
_OF_IDLE = (0.0, 0.2, 1.0)
_PRODUCTS = frozenset(
    f"aten::{name}" for name in ("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "_scaled_mm")
)

LARGER = "Use a larger batch (and the learning rate that goes with it)"
MERGE = "run fewer, larger kernels: one call over stacked inputs instead of a loop, torch.compile"


def low_occupancy_by_batch(run: Run) -> Looked:
    """At most one finding, about the busiest device.

    Raises:
        NotObservable: no kernels were traced, or their grids or the device's units are not told.
    """
    if not isinstance(run.events, Events):
        raise NotObservable("no trace was read, so the grids of kernels are unknown")
    reading = trace_reading(run.events)
    found = grid_filling(reading.events, reading.work, reading.steps)
    whole = sum(step.length_ns for step in reading.breakdown)
    at = (
        f"{units.share(found.share)} of {units.ns(found.total_ns)} of kernels has fewer blocks than the "
        f"{found.units} units, {units.share(found.few_ns / whole if whole else 0.0)} of the step"
    )
    if found.share < _SHARE or found.few_ns < _OF_STEP * whole:
        return Looked(at)
    return Looked(at, (_finding(run, reading, found, whole),))


def _finding(run: Run, reading: TraceReading, found: GridFilling, whole: int) -> Finding:
    steps = len(reading.breakdown)
    first = found.kernels[0]
    mine = ~_of_products(reading, found) if run.costs else np.ones(len(found.rows), np.bool_)
    idle = int(found.idle[mine].sum()) / steps
    low, likely, high = (round(idle * share) for share in _OF_IDLE)
    used = _memory_share(run, found.device)
    return Finding(
        title=f"Kernels that take {units.share(found.share)} of the device's time have fewer blocks than "
        f"its {found.units} units: the batch is too small for it",
        evidence={
            "few_blocks_ns": found.few_ns // steps,
            "share_of_kernels": found.share,
            "share_of_step": found.few_ns / whole,
            "units": found.units,
            "idle_units_ns": found.idle_unit_ns // steps,
            "of_products_ns": int(found.idle[~mine].sum()) // steps,
            "occupancy_percent": found.occupancy,
            "most": first.name.removeprefix("void ").partition("<")[0].partition("(")[0],
            "most_blocks": first.blocks,
            "memory_used_share": used,
        },
        saving=Saving(low, likely, high, "0, 20 and 100 % of the time of units without a block"),
        fix=_fix(used),
        confidence="low",
    )


def _fix(used: float | None) -> str:
    if used is None:
        return f"{LARGER}, if memory has room for it; or {MERGE}"
    if used < _ROOM:
        return f"{LARGER}: {units.share(used)} of the device's memory is used; or {MERGE}"
    return (
        f"{MERGE[0].upper()}{MERGE[1:]}: {units.share(used)} of the device's memory is used already"
    )


def _of_products(reading: TraceReading, found: GridFilling) -> Mask:
    """Which of the kernels with few blocks belong to matrix products."""
    events = reading.events
    names = np.array([name in _PRODUCTS for name in (*events.names, "")], np.bool_)
    place = np.searchsorted(reading.work.rows, found.rows)
    owner = reading.owner[place]
    code = np.where(owner == UNKNOWN, len(events.names), events.name[owner])
    result: Mask = names[code]
    return result


def _memory_share(run: Run, device: int) -> float | None:
    """The most memory that was reserved, as a share of the device's; None where not known."""
    total = device_property(run.events.metadata, device, "totalGlobalMem")
    if not total:
        return None
    changes = run.events.memory
    held = changes.reserved[(changes.device_type != 0) & (changes.device == device)]
    if len(held) and int(held.max()) > 0:
        return min(1.0, int(held.max()) / total)
    for each in devices(run.samples):
        used = values(each, "memory_used")
        if each.subject == f"device {device}" and not np.isnan(used).all():
            return min(1.0, float(np.nanmax(used)) / total)
    return None
