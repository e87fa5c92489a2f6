"""Every step: how long it took, and what it consisted of where it was traced."""

from __future__ import annotations

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report import _words, figures
from perfkit.report.blocks import Block, Cell, Figure, Grid, Head, Part
from perfkit.report.sections._parts import COLOURS, DEVICE, HOST

ORDER = 40
_SIDES = 3


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when no step was measured."""
    times = diagnosis.tables.get("step_times")
    if times is None or not times.rows:
        return None
    steps = figures.bars(diagnosis.tables.get("steps"), diagnosis.tables.get("step_breakdown"))
    parts: list[Part] = [*_figures(steps), _grid(times)]
    return Block("steps", "Step times", tuple(parts), _lead(steps), "Steps")


def _lead(steps: list[figures.Bar]) -> str:
    told = []
    if len({bar.instrument for bar in steps}) > 1:
        told.append(
            "Bare steps carry only a clock, light ones the tracer, deep ones every detector: durations "
            "are read from bare steps, places from deep ones."
        )
    if any(bar.parts for bar in steps):
        told.append("In a traced step each moment counts once, so its parts sum to it.")
    if len(steps) > figures.LIMIT:
        told.append(f"A bar is the slowest of {-(-len(steps) // figures.LIMIT)} steps.")
    return " ".join(told)


def _figures(steps: list[figures.Bar]) -> list[Figure]:
    """The host with every step, and each device with those that were traced."""
    sides = sorted({side for bar in steps for side in bar.parts} | {"host"}, key="host".__eq__)
    found = []
    for side in sides[-_SIDES:]:
        names = HOST if side == "host" else DEVICE
        spec = figures.side_figure(steps, side, names, COLOURS)
        if spec is not None:
            anchor = f"chart-steps-{side.replace(' ', '-')}"
            found.append(Figure(anchor, spec, _summary(steps, side)))
    return found


def _summary(steps: list[figures.Bar], side: str) -> str:
    slowest = max(steps, key=lambda bar: bar.duration_ns)
    traced = sum(side in bar.parts for bar in steps)
    return (
        f"{side}: {len(steps)} steps, {traced} of them with their parts; the slowest is "
        f"{slowest.name} ({slowest.instrument}) with {units.ns(slowest.duration_ns)}"
    )


def _grid(times: Table) -> Grid:
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
    return Grid(heads, rows)


def _middle(row: dict[str, Value]) -> str:
    if row["count"] == 1:
        return "–"
    return f"{_words.duration(row['q1_ns'])} – {_words.duration(row['q3_ns'])}"
