"""Where the host waits for the device, line by line, and all sync points as one table."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report._findings import grouping
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Grid, Head, Text, capped
from perfkit.report.sections._cards import card_parts

ORDER = 20
RULES = frozenset({"host-wait-in-step"})
_ROWS = 100


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when nobody could look; the section on coverage says why."""
    outcome = next((o for o in diagnosis.outcomes if o.rule in RULES), None)
    if outcome is None or outcome.state not in ("found", "clear"):
        return None
    parts = card_parts(diagnosis, RULES | grouping(diagnosis), "in the table below")
    if not parts:
        parts.append(Text(f"No line makes the host wait ({outcome.reason})."))
    table = diagnosis.tables.get("sync_points")
    if table and table.rows:
        parts.append(_grid(table.records()))
    lead = "Lines that make Python stop until the device is done, what wastes most first."
    return Block("host-waits", "Host waits", tuple(parts), lead)


def _grid(records: list[dict[str, Value]]) -> Grid:
    names = short_names(str(row["file"]) for row in records if row["file"] is not None)
    heads = (
        Head("Line", "code"),
        Head("Operator", "code"),
        Head("Kind"),
        Head("Direction"),
        Head("Phase"),
        Head("Per step", "number"),
        Head("Bytes", "number"),
        Head("Host waited", "number"),
        Head("Likely cost", "number"),
        Head("Certain"),
    )
    rows, more = capped([_row(row, names) for row in records], _ROWS)
    return Grid(heads, rows, more, folded=f"All sync points, copies included ({len(records)})")


def _row(row: dict[str, Value], names: dict[str, str]) -> tuple[Cell, ...]:
    file = row["file"]
    where = "no Python line" if file is None else f"{names[str(file)]}:{row['line']}"
    return (
        Cell(where, hint="" if file is None else str(file)),
        Cell(str(row["op"])),
        Cell(str(row["kind"])),
        Cell(_words.text(row["direction"])),
        Cell(_words.text(row["phase"])),
        Cell(_words.per_step(row["per_step"])),
        Cell(_words.size(row.get("nbytes"))),
        Cell(_words.duration(row["blocked_ns"])),
        Cell(_words.duration(row.get("wasted_likely_ns"))),
        Cell(_words.text(row["certain"])),
    )
