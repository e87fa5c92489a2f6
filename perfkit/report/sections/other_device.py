"""How long the step would take on other devices, as asked with `--for`."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head

ORDER = 47


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when no device was asked for."""
    table = diagnosis.tables.get("other_device")
    if table is None or not table.rows:
        return None
    heads = (
        Head("Device"),
        Head("Part"),
        Head("At best", "number"),
        Head("Likely", "number"),
        Head("At worst", "number"),
        Head("How"),
    )
    lead = (
        "At best host and device overlap wholly and nothing waits; likely is the longer of the two with "
        "the waits; at worst all three come one after another."
    )
    grid = Grid(heads, tuple(_row(row) for row in table.records()), fixed=True)
    return Block("other-device", "On another device", (grid,), lead, "Elsewhere")


def _row(row: dict[str, Value]) -> tuple[Cell, ...]:
    times = (_words.duration(row[name]) for name in ("low_ns", "likely_ns", "high_ns"))
    whole = row["part"] == "step"
    return (
        Cell(str(row["device"]) if row["part"] == "device" else ""),
        Cell("the step" if whole else str(row["part"])),
        *(Cell(time) for time in times),
        Cell(str(row["how"])),
    )
