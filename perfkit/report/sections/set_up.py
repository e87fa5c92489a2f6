"""Syncs before the first steady step: shown, never charged to a step."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Grid, Head

ORDER = 38
_ROWS = 30


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when set-up made no sync."""
    table = diagnosis.tables.get("set_up_syncs")
    if table is None or not table.rows:
        return None
    records = table.records()
    names = short_names(str(row["file"]) for row in records if row["file"] is not None)
    heads = (
        Head("Line", "code"),
        Head("Operator", "code"),
        Head("Kind"),
        Head("Times in all", "number"),
        Head("Bytes", "number"),
    )
    cells = []
    for row in records:
        file = row["file"]
        where = "no Python line" if file is None else f"{names[str(file)]}:{row['line']}"
        cells.append(
            (
                Cell(where, detail=str(row["code"] or ""), hint="" if file is None else str(file)),
                Cell(str(row["op"])),
                Cell(str(row["kind"])),
                Cell(_words.per_step(row["count"])),
                Cell(_words.size(row["nbytes"])),
            )
        )
    lead = "Paid once, before the measurement: whole counts, not per step."
    return Block(
        "set-up",
        "During set-up and warm-up",
        (Grid(heads, tuple(cells), first=_ROWS),),
        lead,
        "Set-up",
    )
