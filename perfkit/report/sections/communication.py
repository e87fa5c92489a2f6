"""The collectives of one rank: how much of them nothing hid, and how fast they moved data."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head

ORDER = 66
_ROWS = 12


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no communication kernel was recorded."""
    table = diagnosis.tables.get("communication")
    if table is None or not table.rows:
        return None
    heads = (
        Head("Collective", "code"),
        Head("Size", "number"),
        Head("Calls", "number"),
        Head("Total", "number"),
        Head("Exposed", "number"),
        Head("Shortest", "number"),
    )
    lead = (
        "Over the whole recording. Exposed is the time in which nothing computed. A collective lasts "
        "until its last rank has come, so the shortest is nearest to its transfer."
    )
    grid = Grid(heads, tuple(_row(row) for row in table.records()), first=_ROWS)
    return Block("communication", "Collectives of this rank", (grid,), lead, "Collectives")


def _row(row: dict[str, Value]) -> tuple[Cell, ...]:
    total, exposed = row["total_ns"], row["exposed_ns"]
    known = isinstance(total, int) and isinstance(exposed, int) and total > 0
    where = [f"group {row['group']}"] if row["group"] else []
    where += [f"{row['ranks']} ranks"] if row["ranks"] else []
    speed = row["bus_bandwidth"]
    bus = f"bus {speed / 1e9:.3g} GB/s" if isinstance(speed, (int, float)) else ""
    return (
        Cell(_words.text(row["kind"]), detail=", ".join(where)),
        Cell(_words.size(row["bytes"])),
        Cell(_words.text(row["calls"])),
        Cell(_words.duration(total)),
        Cell(_words.duration(exposed), bar=int(exposed or 0) / int(total or 1) if known else None),
        Cell(_words.duration(row["shortest_ns"]), detail=bus),
    )
