"""What was alive on the device when a step had most in use, by category and line."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Grid, Head

ORDER = 61
_ROWS = 15


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where nobody recorded what was alive."""
    table = diagnosis.tables.get("peak_memory")
    if table is None or not table.rows:
        return None
    records = sorted(table.records(), key=lambda row: -float(row["nbytes"] or 0))
    names = short_names(str(row["file"]) for row in records if row["file"] is not None)
    heads = (
        Head("Category"),
        Head("In use", "number"),
        Head("Of the peak", "number"),
        Head("Tensors", "number"),
        Head("Made by", "code"),
        Head("Line", "code"),
    )
    grid = Grid(heads, tuple(_row(row, names) for row in records), first=_ROWS)
    lead = "At the moment of the looked-at step in which most memory was in use."
    return Block("peak-memory", "Alive at the peak", (grid,), lead, "Peak memory")


def _row(row: dict[str, Value], names: dict[str, str]) -> tuple[Cell, ...]:
    line = Cell("–")
    if row["file"] is not None:
        file = str(row["file"])
        line = Cell(f"{names[file]}:{row['line']}", detail=str(row["function"] or ""), hint=file)
    part = row["share"]
    return (
        Cell(_words.text(row["category"])),
        Cell(_words.size(row["nbytes"])),
        Cell(_words.share(part), bar=float(part) if isinstance(part, (int, float)) else None),
        Cell(_words.text(row["tensors"])),
        Cell(_words.text(row["op"]), detail=str(row["module"] or "")),
        line,
    )
