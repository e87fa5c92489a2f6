"""The roofline and the floors of a run as tables, all amounts per step."""

from __future__ import annotations

from collections.abc import Sequence

from perfkit.analysis.roofline import BY, Floor, Group, by, grouped, layers_together
from perfkit.analysis.run_floors import RunFloors
from perfkit.analysis.step_floor import StepFloor
from perfkit.analysis.wave_quantisation import filling
from perfkit.model.costs import OpCost
from perfkit.model.peaks import Peaks
from perfkit.model.table import Cell, Column, Table

_POINTS = 300
_GROUPS = 60
_UNKNOWN = 40
_SEPARATOR = "\x1f"

POINTS = (
    Column("op"), Column("signature"), Column("module"), Column("file"), Column("line"),
    Column("unit"), Column("dtype"), Column("calls", "per step"), Column("flops"),
    Column("nbytes", "bytes"), Column("intensity"), Column("bound"), Column("floor_ns", "ns"),
    Column("measured_ns", "ns"), Column("unknown"), Column("filled_low", "ratio"),
    Column("filled_high", "ratio"),
)  # fmt: skip
GROUPS = (
    Column("by"), Column("name"), Column("calls", "per step"), Column("known", "ratio"),
    Column("flops"), Column("nbytes", "bytes"), Column("intensity"), Column("bound"),
    Column("floor_ns", "ns"), Column("measured_ns", "ns"), Column("share", "ratio"),
)  # fmt: skip
ROOFS = (
    Column("device"), Column("unit"), Column("dtype"), Column("flops_per_s"),
    Column("bytes_per_s"), Column("origin"), Column("source"),
)  # fmt: skip
FLOORS = (
    Column("device"), Column("step"), Column("bound"), Column("step_ns", "ns"),
    Column("low_ns", "ns"), Column("high_ns", "ns"), Column("floor_ns", "ns"),
    Column("share", "ratio"), Column("compute_ns", "ns"), Column("memory_ns", "ns"),
    Column("fused_ns", "ns"), Column("launch_ns", "ns"), Column("launches", "per step"),
    Column("eager_ns", "ns"), Column("sync_low_ns", "ns"), Column("sync_ns", "ns"),
    Column("sync_high_ns", "ns"), Column("syncs", "per step"), Column("known", "ratio"),
    Column("known_time", "ratio"), Column("peaks"),
)  # fmt: skip
UNKNOWN = (
    Column("op"), Column("reason"), Column("calls", "per step"), Column("measured_ns", "ns"),
)  # fmt: skip


def roofline_table(rows: Sequence[Floor], steps: int, units: int | None = None) -> Table:
    """One row per operator, shapes and place, what takes longest first; layers are one line.

    Args:
        units: SMs or CUs of the device; None where that is not known, or it has none.
    """
    groups = sorted(grouped(rows, _point), key=lambda g: (-_weight(g), g.name))
    return Table(POINTS, tuple(_point_row(group, steps, units) for group in groups[:_POINTS]))


def roofline_groups_table(rows: Sequence[Floor], steps: int) -> Table:
    """Sums over the whole step, phases, regions, modules and operators."""
    found = tuple(_group_row(what, g, steps) for what in BY for g in by(rows, what)[:_GROUPS])
    return Table(GROUPS, found)


def roofs_table(peaks: Peaks) -> Table:
    """The roofs of one device: a row per unit and dtype, with the bandwidth beside it."""
    bandwidth = peaks.bandwidth.value if peaks.bandwidth is not None else None
    rows: list[tuple[Cell, ...]] = [
        (peaks.device, unit, dtype, peak.value, bandwidth, peak.origin, peak.source)
        for unit, known in (("matmul", peaks.matmul), ("vector", peaks.vector))
        for dtype, peak in known.items()
    ]
    return Table(ROOFS, tuple(rows))


def floor_table(found: RunFloors) -> Table:
    """One row per device: those asked for, the measured one, then the other predictions."""
    here = () if found.here is None else (found.here,)
    floors = (*found.asked, *here, *found.elsewhere)
    return Table(FLOORS, tuple(_floor_row(floor) for floor in floors))


def unknown_costs_table(rows: Sequence[Floor], steps: int) -> Table:
    """Operators without a cost and why, what is called most first."""
    unknown = [row for row in rows if row.cost.flops is None]
    groups = grouped(unknown, lambda cost: f"{cost.op}{_SEPARATOR}{cost.unknown}")
    return Table(
        UNKNOWN,
        tuple(
            (*g.name.split(_SEPARATOR, 1), g.calls / steps, _each(g.measured_ns, steps))
            for g in groups[:_UNKNOWN]
        ),
    )


def ops_with_costs(costs: Sequence[OpCost]) -> float | None:
    """Share of operator calls whose cost is known; None where none was recorded."""
    calls = sum(cost.calls for cost in costs)
    return sum(c.calls for c in costs if c.flops is not None) / calls if calls else None


def _point(cost: OpCost) -> str:
    module = layers_together(cost.module) if cost.module else ""
    parts = (cost.op, cost.signature, module, str(cost.place or ""), cost.unknown)
    return _SEPARATOR.join(parts)


def _point_row(group: Group, steps: int, units: int | None) -> tuple[Cell, ...]:
    first = group.rows[0].cost
    place, filled = first.place, filling(first, units)
    return (
        first.op,
        first.signature,
        layers_together(first.module) if first.module else None,
        place.file if place else None,
        place.line if place else None,
        first.unit,
        first.dtype or None,
        group.calls / steps,
        *_amounts(group, steps),
        round(group.floor_ns / steps) if group.known else None,
        _each(group.measured_ns, steps),
        first.unknown or None,
        filled.low if filled else None,
        filled.high if filled else None,
    )


def _group_row(what: str, group: Group, steps: int) -> tuple[Cell, ...]:
    measured = group.measured_ns
    whole = group.known == group.calls and measured
    return (
        what,
        group.name,
        group.calls / steps,
        group.known / group.calls,
        *_amounts(group, steps),
        round(group.floor_ns / steps) if group.known else None,
        _each(measured, steps),
        group.floor_ns / measured if whole and measured else None,
    )


def _amounts(group: Group, steps: int) -> tuple[Cell, Cell, Cell, Cell]:
    """FLOPs, bytes, intensity and bound; None where nothing is known."""
    if not group.known:
        return None, None, None, None
    return group.flops / steps, group.nbytes / steps, group.intensity, group.bound


def _floor_row(floor: StepFloor) -> tuple[Cell, ...]:
    observed = floor.observed
    measured = observed.step_ns is not None
    low, _, high = floor.expected_ns
    waits = observed.sync_ns or (None, None, None)
    known = floor.known / floor.calls if floor.calls else None
    return (
        floor.peaks.device,
        "measured" if measured else "predicted",
        floor.words,
        round(floor.step_ns),
        None if measured else round(low),
        None if measured else round(high),
        round(floor.ns) if floor.known else None,
        floor.share,
        round(floor.compute_ns),
        round(floor.memory_ns),
        round(floor.fused_ns),
        None if floor.launch_ns is None else round(floor.launch_ns),
        observed.launches,
        round(floor.eager_ns),
        *(None if wait is None else round(wait) for wait in waits),
        observed.syncs,
        known,
        floor.known_time if measured else None,
        origins(floor.peaks),
    )


def origins(peaks: Peaks) -> str:
    """Whether the peaks were measured, come from a table, or were assumed."""
    figures = [*peaks.matmul.values(), *peaks.vector.values(), peaks.bandwidth, peaks.launch_ns,
               peaks.host_op_ns]  # fmt: skip
    kinds = dict.fromkeys(figure.origin for figure in figures if figure is not None)
    return ", ".join(kinds)


def _weight(group: Group) -> float:
    return group.floor_ns if group.measured_ns is None else float(group.measured_ns)


def _each(ns: int | None, steps: int) -> int | None:
    return None if ns is None else round(ns / steps)
