"""What limits the step: its floor, launches and waits, here and on GPUs that were not at hand."""

from __future__ import annotations

from typing import Any

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Figure, Grid, Head, Part

ORDER = 45

_PARTS = (
    ("compute_ns", "arithmetic", "--c1"),
    ("memory_ns", "memory traffic", "--c2"),
    ("launch_ns", "launches", "--c3"),
    ("sync_ns", "waits", "--c4"),
)


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when no step was costed."""
    table = diagnosis.tables.get("floor")
    if table is None or not table.rows:
        return None
    records = table.records()
    parts: list[Part] = [_grid(records)]
    figure = _figure(records)
    if figure is not None:
        parts.insert(0, figure)
    narrower = diagnosis.tables.get("low_precision")
    if narrower is not None and len(narrower.rows) > 1:
        parts.append(_narrower(narrower.records()))
    lead = (
        "The floor is what the operators need if each runs at the device's peak, with every operand "
        "travelling once. Launches and waits are no part of it. A predicted row uses the device's "
        "peaks and what was counted here, and no time that was measured on another device."
    )
    return Block("floor", "What limits the step", tuple(parts), lead, "Limits")


def _grid(records: list[dict[str, Value]]) -> Grid:
    heads = (
        Head("Device"),
        Head("Limited by"),
        Head("Step", "number"),
        Head("Floor", "number"),
        Head("Of its floor", "number"),
        Head("Launches", "number"),
        Head("Waits", "number"),
        Head("Costed calls", "number"),
    )
    return Grid(heads, tuple(_row(row) for row in records))


def _row(row: dict[str, Value]) -> tuple[Cell, ...]:
    low, high = row["low_ns"], row["high_ns"]
    step = str(row["step"])
    if low is not None:
        step += f", {_words.duration(low)} to {_words.duration(high)}"
    share = row["share"]
    return (
        Cell(str(row["device"]), detail=f"peaks {row['peaks']}" if row["peaks"] else ""),
        Cell(str(row["bound"])),
        Cell(_words.duration(row["step_ns"]), detail=step),
        Cell(
            _words.duration(row["floor_ns"]),
            detail=f"fused {_words.duration(row['fused_ns'])}",
            hint="fused: the same FLOPs if no operand travelled to memory",
        ),
        Cell(percent(share), bar=min(1.0, share) if isinstance(share, (int, float)) else None),
        Cell(_words.duration(row["launch_ns"]), detail=_words.per_step(row["launches"])),
        Cell(_waits(row), detail="" if row["syncs"] is None else _words.per_step(row["syncs"])),
        Cell(_share(row["known"]), detail=_of_time(row["known_time"])),
    )


def percent(share: Value) -> str:
    """A share of a floor with two digits: `0.15%`; a dash where unknown."""
    if not isinstance(share, (int, float)):
        return "–"
    return f"{100 * share:.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"


def _waits(row: dict[str, Value]) -> str:
    if row["sync_ns"] is None:
        return "–"
    return f"{_words.duration(row['sync_low_ns'])} to {_words.duration(row['sync_high_ns'])}"


def _share(value: Value) -> str:
    return units.share(value) if isinstance(value, (int, float)) else "–"


def _of_time(value: Value) -> str:
    return "" if value is None else f"{_share(value)} of their time"


def _figure(records: list[dict[str, Value]]) -> Figure | None:
    """The parts of each step side by side: the longest bar is the limit."""
    devices = [str(row["device"]) for row in records]
    series, words = [], []
    for column, label, colour in _PARTS:
        values = [row[column] for row in records]
        if not any(isinstance(v, (int, float)) and v > 0 for v in values):
            continue
        shown = [v / 1e6 if isinstance(v, (int, float)) and v > 0 else None for v in values]
        texts = [_words.duration(v) for v in values]
        words.append(f"{label}: {', '.join(texts)}")
        series.append(_bars(label, devices, shown, texts, colour))
    if not series:
        return None
    layout = {
        "barmode": "group",
        "height": 130 + 74 * len(devices),
        "xaxis": {"type": "log", "title": {"text": "per step"}, **_decades(records)},
        "yaxis": {"automargin": True, "autorange": "reversed"},
    }
    summary = f"{', '.join(devices)}; {'; '.join(words)}"
    return Figure("chart-floor", {"data": series, "layout": layout}, summary)


def _bars(
    label: str, devices: list[str], values: list[float | None], texts: list[str], colour: str
) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": label,
        "x": values,
        "y": devices,
        "customdata": texts,
        "marker": {"color": colour},
        "hovertemplate": f"%{{y}}, {label}: %{{customdata}}<extra></extra>",
    }


def _decades(records: list[dict[str, Value]]) -> dict[str, Any]:
    """Ticks with units: plotly's own on a logarithmic axis carry none."""
    ticks = [10.0**power for power in range(-6, 7)]
    return {"tickvals": ticks, "ticktext": [units.ns(tick * 1e6) for tick in ticks]}


def _narrower(records: list[dict[str, Value]]) -> Grid:
    heads = (
        Head("If, on that GPU"),
        Head("FLOPs it changes", "number"),
        Head("Bytes per step", "number"),
        Head("FLOP per byte", "number"),
        Head("Floor", "number"),
        Head("Floor gains", "number"),
    )
    rows = tuple(
        (
            Cell(str(row["change"])),
            Cell(_share(row["changed"])),
            Cell(_words.size(row["nbytes"])),
            Cell(f"{row['intensity']:.3g}" if isinstance(row["intensity"], float) else "–"),
            Cell(_words.duration(row["floor_ns"])),
            Cell(units.ratio(row["speedup"]) if isinstance(row["speedup"], float) else "–"),
        )
        for row in records
    )
    return Grid(heads, rows, folded="What a narrower dtype would do to the floor")
