"""Figures as plotly JSON. Colours are left to the page, which knows whether it is dark."""

from __future__ import annotations

import math
from typing import Any

from perfkit.base import units
from perfkit.model.table import Cell, Table

_LIMIT = 2_000
_SYMBOLS = {
    "warm-up": "circle-open",
    "bare": "circle",
    "light": "diamond",
    "deep": "square",
    "after": "x-thin-open",
}
_FEW = 16
_LOG_FROM = 4.0
"""Ratio of the longest to the shortest step from which a linear axis hides the short ones."""


def step_times(steps: Table) -> dict[str, Any] | None:
    """Step time over step index, one series per instrument; None below two steps."""
    records = steps.records()
    if len(records) < 2:
        return None
    thinned = records[:: max(1, len(records) // _LIMIT)]
    series = [
        _series(name, [r for r in thinned if r["instrument"] == name])
        for name in _SYMBOLS
        if any(r["instrument"] == name for r in thinned)
    ]
    durations = [_ms(r["duration_ns"]) for r in thinned]
    shortest = min(durations)
    log = shortest > 0 and max(durations) / shortest > _LOG_FROM
    y: dict[str, Any] = {"title": {"text": "step time"}, "type": "log" if log else "linear"}
    if log:
        y |= _log_ticks(min(durations), max(durations))
    else:
        y |= {"rangemode": "tozero", "ticksuffix": " ms"}
    x: dict[str, Any] = {"title": {"text": "step"}, "tickformat": "d"}
    if len(records) <= _FEW:
        x["dtick"] = 1
    return {"data": series, "layout": {"xaxis": x, "yaxis": y}}


def _series(name: str, records: list[dict[str, Cell]]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [r["index"] for r in records],
        "y": [_ms(r["duration_ns"]) for r in records],
        "marker": {"symbol": _SYMBOLS[name], "size": 9},
        "hovertemplate": f"step %{{x}}, {name}: %{{y:.4g}} ms<extra></extra>",
    }


def _log_ticks(low_ms: float, high_ms: float) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of each decade, with units: plotly's own leave the zeros out."""
    decades = range(math.floor(math.log10(low_ms)), math.ceil(math.log10(high_ms)) + 1)
    values = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    shown = [v for v in values if low_ms / 2 <= v <= high_ms * 2]
    return {
        "tickvals": shown,
        "ticktext": [units.ns(value * 1e6) for value in shown],
        "range": [math.log10(low_ms / 1.5), math.log10(high_ms * 1.5)],
    }


def _ms(value: Cell) -> float:
    return float(value) / 1e6 if isinstance(value, (int, float)) else 0.0
