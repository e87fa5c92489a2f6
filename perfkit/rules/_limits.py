"""What limits the step, in one sentence and as tables: the floors of the run for the diagnosis."""

from __future__ import annotations

from collections.abc import Sequence

from perfkit.analysis.low_precision import low_precision, low_precision_table
from perfkit.analysis.roofline_tables import (
    floor_table,
    roofline_groups_table,
    roofline_table,
    roofs_table,
    unknown_costs_table,
)
from perfkit.analysis.run_floors import RunFloors, run_floors
from perfkit.analysis.step_floor import StepFloor
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.peaks import Peaks
from perfkit.model.run import Run
from perfkit.model.table import Table

FACT = "limited by"
_SURE = 0.95
"""Share of operator calls with a cost below which a floor is called a part of one."""


def limit_tables(run: Run, asked: Sequence[Peaks] = ()) -> dict[str, Table]:
    """Roofline, floors and what is not known of them; none where no step was costed.

    Args:
        asked: devices to speak of before all others.
    """
    try:
        found = run_floors(run, asked)
    except NotObservable:
        return {}
    steps, peaks = run.costed_steps, found.rows_on
    tables = {
        "floor": floor_table(found),
        "roofline": roofline_table(found.rows, steps, peaks.compute_units),
        "roofline_groups": roofline_groups_table(found.rows, steps),
        "roofs": roofs_table(peaks),
        "low_precision": low_precision_table(low_precision(run.costs, found.first.peaks, steps)),
    }
    unknown = unknown_costs_table(found.rows, steps)
    return {**tables, "unknown_costs": unknown} if unknown.rows else tables


def limit_fact(run: Run, asked: Sequence[Peaks] = ()) -> dict[str, str]:
    """The sentence, under its name; nothing where no step was costed."""
    try:
        found = run_floors(run, asked)
    except NotObservable:
        return {}
    return {FACT: limit(found)}


def limit(found: RunFloors) -> str:
    """`overhead- and sync-bound on an H200 (predicted), at about 1% of its floor: ...`; what was
    measured is told beside a prediction."""
    first = found.first
    told = [_told(first)]
    if found.here is not None and first is not found.here:
        here = found.here
        gpu = here.peaks.launch_ns is not None
        where = f"{here.peaks.device} (measured)" if gpu else "this CPU"
        told.append(f"on {where} {here.words}{_at(here).removesuffix(' of its floor')}")
    return "; ".join(told)


def _told(floor: StepFloor) -> str:
    measured = floor.observed.step_ns is not None
    how = "measured" if measured else "predicted"
    return f"{floor.words} on {floor.peaks.device} ({how}){_at(floor)}: {_evidence(floor)}"


def _at(floor: StepFloor) -> str:
    if floor.share is None:
        return ", its floor unknown"
    if floor.share > 1:
        return ", faster than its floor: operands stayed in a cache"
    what = "its floor" if floor.known >= _SURE * floor.calls else "the known part of its floor"
    return f", at about {_percent(floor.share)} of {what}"


def _percent(share: float) -> str:
    """Two digits at least: `0.15%`."""
    return units.share(share) if share >= 0.1 else f"{100 * share:.2g}%"


def _evidence(floor: StepFloor) -> str:
    observed = floor.observed
    parts = [f"operators {units.ns(floor.ns)}"]
    if floor.launch_ns is not None and observed.launches is not None:
        count = units.count(round(observed.launches))
        parts.append(f"{count} launches {units.ns(floor.launch_ns)}")
    if observed.syncs and observed.sync_ns is not None:
        low, _, high = observed.sync_ns
        count = units.count(round(observed.syncs))
        parts.append(f"{count} waits {units.ns(low)} to {units.ns(high)}")
    if observed.step_ns is not None:
        parts.append(f"the step {units.ns(observed.step_ns)}")
    return ", ".join(parts)
