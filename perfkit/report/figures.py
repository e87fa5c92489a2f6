"""Every step as a bar of the parts it consists of, as plotly JSON. Colours are left to the page.

Where a step was traced its bar is stacked; where only a clock ran, it is one piece. A run of thousands
of steps shows the slowest of each few, so that no outlier is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from perfkit.base import units
from perfkit.model.table import Cell, Table

LIMIT = 400
"""Bars of one figure."""
_FEW = 16
_CLIPPED_FROM = 2.0
"""How often the longest measured step a warm-up step must last to be cut off."""
_CLOCKS = {
    "warm-up": ("warm-up", "--c0", "/"),
    "bare": ("clock only", "--c0", ""),
    "light": ("traced", "--c1", ""),
    "deep": ("deep, every detector on", "--c0", "x"),
    "after": ("after the measurement", "--c0", "."),
}
"""What a bar in one piece is called, its colour and its pattern."""


@dataclass(frozen=True)
class Bar:
    """One step. `parts` are ns by part and side; empty where it was not traced."""

    index: int
    name: str
    instrument: str
    duration_ns: float
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def plain(text: str) -> str:
    """plotly reads a little markup in labels: what a program named must not be taken for it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def bars(steps: Table | None, breakdown: Table | None) -> list[Bar]:
    """Every step in order, with its parts where the trace knows them.

    The n-th step of the trace is the n-th light one. Where their numbers differ (a trace that lost
    steps, a table that was cut) only the traced ones are told.
    """
    traced = _traced(breakdown)
    records = steps.records() if steps is not None else []
    light = [row for row in records if row["instrument"] == "light"]
    if traced and len(light) != len(traced):
        return [
            Bar(index, f"step {number}", "light", sum(next(iter(sides.values())).values()), sides)
            for index, (number, sides) in enumerate(traced)
        ]
    left = iter(traced)
    found = []
    for row in records:
        index, name = int(row["index"] or 0), f"step {row['index']}"
        sides: Mapping[str, Mapping[str, float]] = {}
        if traced and row["instrument"] == "light":
            number, sides = next(left)
            name += f", number {number} in the trace" if number != index else ""
        found.append(Bar(index, name, str(row["instrument"]), _number(row["duration_ns"]), sides))
    return found


def side_figure(
    steps: Sequence[Bar], side: str, names: Mapping[str, str], colours: Mapping[str, str]
) -> dict[str, Any] | None:
    """One side's parts of every step, stacked; None below two bars without parts."""
    whole = side == "host"
    shown = _thinned([bar for bar in steps if side in bar.parts or whole])
    if not shown or (len(shown) < 2 and not shown[0].parts):
        return None
    series = [
        _stacked(part, names.get(part, part), colours.get(part, "--c0"), shown, side)
        for part in dict.fromkeys(p for bar in shown for p in bar.parts.get(side, ()))
    ]
    series += [_single(name, shown) for name in _CLOCKS]
    drawn = [each for each in series if each["x"]]
    return {"data": drawn, "layout": _layout(shown, side)}


def _traced(table: Table | None) -> list[tuple[Cell, dict[str, dict[str, float]]]]:
    """(number, ns by side and part) of each traced step in order; numbers may repeat."""
    found: list[tuple[Cell, dict[str, dict[str, float]]]] = []
    records = table.records() if table is not None else []
    for (number, side), group in groupby(records, key=lambda row: (row["step"], str(row["side"]))):
        if not found or found[-1][0] != number or side in found[-1][1]:
            found.append((number, {}))
        parts = found[-1][1].setdefault(side, {})
        for row in group:
            if row["part"] in parts:  # the next step bears the same number
                found.append((number, {}))
                parts = found[-1][1].setdefault(side, {})
            parts[str(row["part"])] = _number(row["time_ns"])
    return found


def _thinned(steps: list[Bar]) -> list[Bar]:
    """At most `LIMIT` bars: all, or the slowest of every few."""
    every = -(-len(steps) // LIMIT)
    groups = (steps[at : at + every] for at in range(0, len(steps), max(1, every)))
    return [max(group, key=lambda bar: bar.duration_ns) for group in groups]


def _stacked(part: str, title: str, colour: str, steps: list[Bar], side: str) -> dict[str, Any]:
    mine = [bar for bar in steps if bar.parts.get(side, {}).get(part)]
    return {
        "type": "bar",
        "name": title,
        "x": [bar.index for bar in mine],
        "y": [bar.parts[side][part] / 1e6 for bar in mine],
        "customdata": [_hover(bar, bar.parts[side][part], title) for bar in mine],
        "marker": {"color": colour},
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _single(instrument: str, steps: list[Bar]) -> dict[str, Any]:
    title, colour, pattern = _CLOCKS[instrument]
    mine = [bar for bar in steps if bar.instrument == instrument and not bar.parts]
    return {
        "type": "bar",
        "name": title,
        "x": [bar.index for bar in mine],
        "y": [bar.duration_ns / 1e6 for bar in mine],
        "customdata": [_hover(bar, bar.duration_ns, title) for bar in mine],
        "marker": {"color": colour, "opacity": 0.55, "pattern": {"shape": pattern, "size": 6}},
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _hover(bar: Bar, value_ns: float, what: str) -> str:
    share = f", {value_ns / bar.duration_ns:.0%}" if bar.parts and bar.duration_ns else ""
    return f"{bar.name}<br>{what}: {units.ns(value_ns)}{share}"


def _layout(steps: list[Bar], side: str) -> dict[str, Any]:
    x: dict[str, Any] = {"title": {"text": "step"}, "tickformat": "d"}
    if len(steps) <= _FEW:
        x["dtick"] = 1
    y: dict[str, Any] = {"title": {"text": side}, "ticksuffix": " ms", "rangemode": "tozero"}
    layout = {
        "height": 300,
        "barmode": "stack",
        "bargap": 0.15 if len(steps) <= LIMIT // 4 else 0.0,
        "legend": {"traceorder": "normal"},
        "xaxis": x,
        "yaxis": y,
    }
    measured = max((b.duration_ns for b in steps if b.instrument != "warm-up"), default=0.0)
    longest = max(bar.duration_ns for bar in steps)
    if measured and longest > _CLIPPED_FROM * measured:
        top = 1.15 * measured / 1e6
        y["range"] = [0.0, top]
        cut = [bar for bar in steps if bar.duration_ns / 1e6 > top]
        layout["annotations"] = [_cut_off(bar, top) for bar in cut[:_FEW]]
    return layout


def _cut_off(bar: Bar, top_ms: float) -> dict[str, Any]:
    """What the bar would reach, at its upper end."""
    text = f"↑ {units.ns(bar.duration_ns)}"
    place = {"x": bar.index, "y": top_ms, "xanchor": "left", "yanchor": "top"}
    return {**place, "text": text, "showarrow": False}


def _number(value: Cell) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
