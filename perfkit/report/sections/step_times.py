"""How long steps take, by instrument."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words, figures
from perfkit.report.blocks import Block, Cell, Figure, Grid, Head, Part

ORDER = 40


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when no step was measured."""
    times = diagnosis.tables.get("step_times")
    if times is None or not times.rows:
        return None
    heads = (
        Head("Instrument"),
        Head("Steps", "number"),
        Head("Median", "number"),
        Head("Middle half", "number"),
        Head("Note"),
    )
    rows = tuple(
        (
            Cell(str(row["instrument"])),
            Cell(_words.text(row["count"])),
            Cell(_words.duration(row["median_ns"])),
            Cell(_middle(row)),
            Cell(_words.text(row["warning"])),
        )
        for row in times.records()
    )
    parts: list[Part] = [Grid(heads, rows)]
    steps = diagnosis.tables.get("steps")
    spec = figures.step_times(steps) if steps else None
    if spec:
        parts.insert(0, Figure("chart-steps", spec, "Step time over step index, by instrument"))
    lead = (
        "Bare steps carry only a clock, light ones the tracer, deep ones every detector: "
        "durations are read from bare steps, places from deep ones."
    )
    return Block("steps", "Step times", tuple(parts), lead, "Steps")


def _middle(row: dict[str, Value]) -> str:
    if row["count"] == 1:
        return "–"
    return f"{_words.duration(row['q1_ns'])} – {_words.duration(row['q3_ns'])}"
