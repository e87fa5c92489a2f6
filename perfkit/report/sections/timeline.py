"""A few steps as lanes over time: regions, Python, operators, runtime calls, waits, streams, samples."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report._text import visible
from perfkit.report.blocks import Block, Figure, Range, Text
from perfkit.report.figures import plain
from perfkit.report.sections._kernel_names import plain_name

ORDER = 50
_KINDS = {
    "region": ("regions", "--c4"),
    "python": ("Python", "--good"),
    "op": ("operators", "--c1"),
    "launch": ("runtime calls", "--c2"),
    "wait": ("waits", "--c3"),
    "compute": ("compute", "--c1"),
    "comm": ("communication", "--c4"),
    "copy": ("copies and fills", "--c2"),
    "sample": ("NVML", "--c0"),
}
_NAME = 64
_LANE_PX = 30
_FRAME_PX = 120
_FAINT = 0.35

_Row = dict[str, Value]


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent without a trace, or where it has no steps."""
    table, steps = diagnosis.tables.get("timeline"), diagnosis.tables.get("timeline_steps")
    if table is None or steps is None or not table.rows or not steps.rows:
        return None
    rows = table.records()
    figure = Figure("chart-timeline", _figure(rows, steps), _summary(rows, steps), _ranges(steps))
    lead = (
        "Drag to zoom, double-click for everything. Of nested calls the outermost are drawn, and what "
        "began inside of them a lane further down."
    )
    merged = [row for row in rows if row["name"] is None]
    parts = (figure, Text(_left_out(rows, merged))) if merged else (figure,)
    return Block("timeline", "Timeline", parts, lead)


def _left_out(rows: list[_Row], merged: list[_Row]) -> str:
    whole, inside = sum(_int(r["count"]) for r in rows), sum(_int(r["count"]) for r in merged)
    return (
        f"{units.count(whole)} events are drawn as {units.count(len(rows))} marks: the shortest "
        f"{units.count(inside)} are merged with their neighbours (faint)."
    )


def _summary(rows: list[_Row], steps: Table) -> str:
    lanes = [
        f"{lane}: {sum(_int(row['count']) for row in of)} events"
        for lane, of in groupby(rows, key=lambda row: str(row["lane"]))
    ]
    count = len(steps.rows)
    return f"{count} step{'' if count == 1 else 's'}; {'; '.join(lanes)}"


def _ranges(steps: Table) -> tuple[Range, ...]:
    found = [
        (
            f"step {row['step']}",
            _ms(row["start_ns"]),
            _ms(_int(row["start_ns"]) + _int(row["dur_ns"])),
        )
        for row in steps.records()
    ]
    end = max(high for _, _, high in found)
    every = Range("all" if len(found) > 1 else "the whole step", 0.0, end)
    return (every, *(Range(*step) for step in found)) if len(found) > 1 else (every,)


def _figure(rows: list[_Row], steps: Table) -> dict[str, Any]:
    lanes = list(dict.fromkeys(str(row["lane"]) for row in rows))
    series = []
    for kind, (title, colour) in _KINDS.items():
        mine = [row for row in rows if row["kind"] == kind]
        if mine:
            series.append(_series(title, colour, mine))
    height = _FRAME_PX + _LANE_PX * len(lanes)
    layout = {
        "height": height,
        "barmode": "overlay",
        "bargap": 0.28,
        "hovermode": "closest",
        "legend": {"y": 1 + 24 / height, "itemsizing": "constant"},
        "xaxis": {
            "ticksuffix": " ms",
            "title": {"text": "since the first of these steps began"},
            "range": [0.0, max(each.high for each in _ranges(steps))],
        },
        "yaxis": {
            "categoryorder": "array",
            "categoryarray": lanes[::-1],
            "fixedrange": True,
            "type": "category",
        },
        "shapes": [_edge(_ms(row["start_ns"])) for row in steps.records()[1:]],
    }
    return {"data": series, "layout": layout}


def _series(title: str, colour: str, rows: list[_Row]) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": title,
        "y": [row["lane"] for row in rows],
        "base": [_ms(row["start_ns"]) for row in rows],
        "x": [_ms(row["dur_ns"]) for row in rows],
        "customdata": [_hover(row) for row in rows],
        "marker": {
            "color": colour,
            "opacity": [1.0 if row["name"] is not None else _FAINT for row in rows],
            "line": {"width": 0},
        },
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _hover(row: _Row) -> str:
    length = units.ns(_int(row["dur_ns"]))
    if row["name"] is None:
        busy = units.ns(_int(row["covered_ns"]))
        return f"{units.count(_int(row['count']))} more within {length}<br>covering {busy} of it"
    return f"{plain(visible(plain_name(str(row['name']), _NAME)))}<br>{length}"


def _edge(at_ms: float) -> dict[str, Any]:
    line = {"color": "--soft", "width": 1, "dash": "dot"}
    return {
        "type": "line",
        "x0": at_ms,
        "x1": at_ms,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": line,
    }


def _ms(value: Value) -> float:
    return round(_int(value) / 1e6, 6)


def _int(value: Value) -> int:
    return value if isinstance(value, int) else 0
