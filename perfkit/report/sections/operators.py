"""Which operators take the time."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head, Part

ORDER = 58
_ROWS = 12
_SIDES = {"host": "On the host", "device": "On the device"}


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when no step was traced."""
    table = diagnosis.tables.get("operators")
    if table is None or not table.rows:
        return None
    records = table.records()
    parts: list[Part] = []
    for side in _SIDES:
        mine = [row for row in records if row["place"] == side]
        if mine:
            parts.append(_grid(mine, _SIDES[side]))
    lead = "Self time per step from traced steps; shares are of all self time on that side."
    return Block("operators", "Top operators", tuple(parts), lead, "Operators")


def _grid(records: list[dict[str, Value]], side: str) -> Grid:
    heads = (
        Head(side, "code"),
        Head("Calls per step", "number"),
        Head("Self time", "number"),
        Head("With children", "number"),
        Head("Share", "number"),
    )
    return Grid(heads, tuple(_row(row) for row in records), first=_ROWS)


def _row(row: dict[str, Value]) -> tuple[Cell, ...]:
    share = row["share"]
    return (
        Cell(str(row["name"])),
        Cell(_words.per_step(row["calls"])),
        Cell(_words.duration(row["self_ns"])),
        Cell(_words.duration(row["total_ns"])),
        Cell(_words.share(share), bar=share if isinstance(share, float) else None),
    )
