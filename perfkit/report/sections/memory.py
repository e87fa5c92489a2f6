"""Memory in use over time on each device, and what ran at the peak."""

from __future__ import annotations

from typing import Any

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Figure, Grid, Head, Part, capped

ORDER = 62
_ROWS = 20
_COLOURS = ("--c1", "--c2", "--c3", "--c4")
_TICKS = 5


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where the trace holds no allocations."""
    peaks = diagnosis.tables.get("device_memory")
    if peaks is None or not peaks.rows:
        return None
    parts: list[Part] = []
    curve = diagnosis.tables.get("memory_curve")
    if curve is not None and curve.rows:
        parts.append(Figure("chart-memory", _curves(curve, peaks), _summary(peaks)))
    parts.append(_peaks(peaks))
    lead = "What the allocator had in use, as the trace tells it after each allocation."
    if any(row["peak_reserved"] is not None for row in peaks.records()):
        lead += " The caching allocator reserves more from the device than that."
    if not all(row["absolute"] for row in peaks.records()):
        lead += (
            " Where no totals were recorded, the curve starts at zero with the recording: what was "
            "allocated before is missing from it, and it falls below zero where that is freed."
        )
    return Block("memory", "Memory", tuple(parts), lead)


def _summary(peaks: Table) -> str:
    return "; ".join(_sentence(row) for row in peaks.records())


def _sentence(row: dict[str, Value]) -> str:
    during = f", in {row['op']}" if row["op"] else ""
    return f"{row['device']}: {_words.size(row['peak'])} at most{during}"


def _peaks(table: Table) -> Grid:
    records = table.records()
    names = short_names(str(row["file"]) for row in records if row["file"] is not None)
    heads = (
        Head("Device"),
        Head("Peak", "number"),
        Head("Reserved at most", "number"),
        Head("After", "number"),
        Head("Operator at the peak", "code"),
        Head("Line", "code"),
        Head("Allocations", "number"),
    )
    rows, more = capped([_row(row, names) for row in records], _ROWS)
    return Grid(heads, rows, more)


def _row(row: dict[str, Value], names: dict[str, str]) -> tuple[Cell, ...]:
    line = Cell("–")
    if row["file"] is not None:
        file = str(row["file"])
        line = Cell(f"{names[file]}:{row['line']}", detail=str(row["function"] or ""), hint=file)
    last = row["last_change"]
    asked = f"asked for {units.nbytes(last)}" if isinstance(last, int) and last > 0 else ""
    above = "" if row["absolute"] else "above the start"
    return (
        Cell(_words.text(row["device"])),
        Cell(_words.size(row["peak"]), detail=above),
        Cell(_words.size(row["peak_reserved"])),
        Cell(_words.duration(row["at_ns"])),
        Cell(_words.text(row["op"]), detail=asked),
        line,
        Cell(_words.per_step(row["allocations"])),
    )


def _curves(curve: Table, peaks: Table) -> dict[str, Any]:
    """Steps of memory in use over time, a line per device, and a mark at each peak."""
    records, data = curve.records(), []
    for index, peak in enumerate(peaks.records()):
        mine = [row for row in records if row["device"] == peak["device"]]
        colour = _COLOURS[index % len(_COLOURS)]
        data.append(_line(str(peak["device"]), mine, colour))
        data.append(_mark(peak, colour))
    values = [float(row["allocated"] or 0) for row in records]
    return {
        "data": data,
        "layout": {
            "height": 280,
            "xaxis": {"title": {"text": "since the recording began"}, "ticksuffix": " ms"},
            "yaxis": {"title": {"text": "in use"}, **_ticks(min(0.0, *values), max(values))},
        },
    }


def _line(name: str, rows: list[dict[str, Value]], colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [_ms(row["at_ns"]) for row in rows],
        "y": [row["allocated"] for row in rows],
        "text": [_words.size(row["allocated"]) for row in rows],
        "line": {"shape": "hv", "width": 1.5},
        "marker": {"color": colour},
        "hovertemplate": "%{x:.4g} ms: %{text} in use<extra></extra>",
    }


def _mark(peak: dict[str, Value], colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"peak of {peak['device']}",
        "showlegend": False,
        "x": [_ms(peak["at_ns"])],
        "y": [peak["peak"]],
        "text": [_sentence(peak)],
        "marker": {"color": colour, "size": 10, "symbol": "diamond"},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks at even binary sizes: plotly would count in powers of ten."""
    step = 1.0
    while step * _TICKS < high - low:
        step *= 2
    values = [step * i for i in range(int(low // step), int(high // step) + 2)]
    return {
        "tickvals": values,
        "ticktext": [units.nbytes(value) for value in values],
        "rangemode": "tozero",
    }


def _ms(value: Value) -> float:
    return float(value) / 1e6 if isinstance(value, (int, float)) else 0.0
