"""What happened inside `perfkit.instrument` regions, per step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.run import Instrument, Region, Run
from perfkit.model.table import Column, Table

_TRUSTED: tuple[Instrument, ...] = ("bare", "light", "deep")
COLUMNS = (
    Column("region"),
    Column("calls", "per step"),
    Column("total_ns", "ns"),
    Column("ops", "per step"),
    Column("syncs", "per step"),
    Column("measured_in"),
)


def regions_table(run: Run, points: Iterable[SyncPoint]) -> Table:
    """One row per region, slowest first: time from the least distorted steps that entered it."""
    syncs: dict[str, float] = defaultdict(float)
    for point in points:
        if point.region is not None:
            syncs[point.region] += point.per_step
    names = {region.name for region in run.regions} | set(syncs)
    rows = [_row(run, name, syncs.get(name)) for name in sorted(names)]
    rows.sort(key=lambda row: -(row[2] or 0))
    return Table(COLUMNS, tuple(rows))


def _row(
    run: Run, name: str, syncs: float | None
) -> tuple[str, float | None, int | None, float | None, float | None, str | None]:
    watched = bool(run.steps_measured("deep"))
    count = syncs if syncs is not None else 0.0 if watched else None
    mine = [region for region in run.regions if region.name == name]
    counted = [r for r in mine if r.ops is not None and r.step is not None]
    ops = sum(r.ops or 0 for r in counted) / _steps(counted) if counted else None
    for instrument in _TRUSTED:
        indices = {step.index for step in run.steps_measured(instrument)}
        entries = [region for region in mine if region.step in indices]
        if entries:
            steps = len(indices)
            calls, total = sum(r.calls for r in entries), sum(r.total_ns for r in entries)
            return name, calls / steps, round(total / steps), ops, count, instrument
    return name, None, None, ops, count, None


def _steps(entries: list[Region]) -> int:
    return len({region.step for region in entries})
