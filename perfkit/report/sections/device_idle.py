"""When the device had nothing to do, why, and what ended it."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Grid, Head, Part, Text
from perfkit.report.sections._parts import CAUSES

ORDER = 44
_ROWS = 15


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no device was traced."""
    causes = diagnosis.tables.get("device_idle")
    if causes is None:
        return None
    parts: list[Part] = [_causes(causes)] if causes.rows else [Text("The device was never idle.")]
    edges = diagnosis.tables.get("idle_edges")
    if edges is not None and edges.rows:
        parts.append(_edges(edges))
    lead = (
        "Time in which no stream of the device ran anything, over all steps of the trace, split by "
        "what the host did meanwhile or by what queued work was waiting for."
    )
    return Block("idle", "Idle device", tuple(parts), lead)


def _causes(table: Table) -> Grid:
    records = table.records()
    several = len({row["device"] for row in records}) > 1
    heads = (
        Head("Why"),
        Head("Idle", "number"),
        Head("Of the steps", "number"),
        Head("Stretches", "number"),
        Head("Longest", "number"),
    )
    cells = [
        (
            Cell((f"device {row['device']}: " if several else "") + _cause(row["cause"])),
            Cell(_words.duration(row["idle_ns"])),
            _share(row["share"]),
            Cell(_words.per_step(row["bubbles"])),
            Cell(_words.duration(row["longest_ns"])),
        )
        for row in records
    ]
    return Grid(heads, tuple(cells), first=4 * _ROWS)


def _edges(table: Table) -> Grid:
    records = table.records()
    names = short_names(str(row["file"]) for row in records if row["file"] is not None)
    heads = (
        Head("Ended by", "code"),
        Head("Line", "code"),
        Head("Mostly because"),
        Head("Idle", "number"),
        Head("Of the steps", "number"),
        Head("Stretches", "number"),
        Head("Longest", "number"),
    )
    cells = [
        (
            Cell(_words.text(row["op"])),
            _line(row, names),
            Cell(_cause(row["cause"])),
            Cell(_words.duration(row["idle_ns"])),
            _share(row["share"]),
            Cell(_words.per_step(row["bubbles"])),
            Cell(_words.duration(row["longest_ns"])),
        )
        for row in records
    ]
    return Grid(heads, tuple(cells), first=_ROWS)


def _line(row: dict[str, Value], names: dict[str, str]) -> Cell:
    if row["file"] is None:
        return Cell("–")
    file = str(row["file"])
    return Cell(f"{names[file]}:{row['line']}", detail=str(row["function"] or ""), hint=file)


def _cause(value: Value) -> str:
    return CAUSES.get(str(value), str(value))


def _share(value: Value) -> Cell:
    return Cell(_words.share(value), bar=value if isinstance(value, float) else None)
