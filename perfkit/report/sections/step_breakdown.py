"""Where the step went, on the host and on each device: parts that sum to the step."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Table
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head, Part
from perfkit.report.sections._parts import DEVICE, HOST

ORDER = 42


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no trace was read."""
    table = diagnosis.tables.get("step_breakdown")
    if table is None or not table.rows:
        return None
    sides = _mean(table)
    ordered = sorted(sides.items(), key=lambda s: s[0] == "host")
    parts: list[Part] = [_grid(side, of) for side, of in ordered]
    lead = (
        "Mean over the steps. On each side every moment counts once, so the parts sum to the step; "
        "exposed is what no compute hides."
    )
    return Block("parts", "Where the step went", tuple(parts), lead, "Breakdown")


def _mean(table: Table) -> dict[str, dict[str, float]]:
    """ns by side and part, mean over the steps (whose numbers may repeat)."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in table.records():
        time = row["time_ns"]
        found[str(row["side"])][str(row["part"])].append(float(time) if time else 0.0)
    return {
        side: {part: mean(times) for part, times in parts.items()} for side, parts in found.items()
    }


def _grid(side: str, parts: dict[str, float]) -> Grid:
    names = HOST if side == "host" else DEVICE
    total = sum(parts.values())
    heads = (Head(side.capitalize()), Head("Per step", "number"), Head("Share", "number"))
    rows = tuple(
        (
            Cell(names.get(part, part)),
            Cell(_words.duration(value)),
            Cell(_words.share(value / total if total else None), bar=value / total if total else 0),
        )
        for part, value in parts.items()
        if value
    )
    return Grid(heads, rows)
