"""What happened inside the regions the user named."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head

ORDER = 59
_ROWS = 40


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when no region was entered."""
    table = diagnosis.tables.get("regions")
    if table is None or not table.rows:
        return None
    heads = (
        Head("Region", "code"),
        Head("Entered per step", "number"),
        Head("Time per step", "number"),
        Head("Operators per step", "number"),
        Head("Syncs per step", "number"),
    )
    cells = [
        (
            Cell(str(row["region"])),
            Cell(_words.per_step(row["calls"])),
            Cell(_words.duration(row["total_ns"])),
            Cell(_words.per_step(row["ops"])),
            Cell(_words.per_step(row["syncs"])),
        )
        for row in table.records()
    ]
    return Block("regions", "Regions", (Grid(heads, tuple(cells), first=_ROWS),))
