"""One bar per rank: where its step went, in the order in which time is accounted for."""

from __future__ import annotations

from typing import Any

from perfkit.model.table import Cell, Table

PARTS = (
    ("compute_ns", "compute", "--c1"),
    ("transfer_ns", "exposed transfer", "--c2"),
    ("waiting_ns", "waiting for later ranks", "--c3"),
    ("copies_ns", "exposed copies", "--good"),
    ("input_ns", "idle, loading data", "--c4"),
    ("idle_ns", "idle", "--c0"),
)
"""Column of the table, what the bar is called, the page's colour for it."""
_MOST = 64
_BAR_PX = 26
_FRAME_PX = 130


def rank_bars(ranks: Table) -> dict[str, Any]:
    """Stacked horizontal bars in ms per step, the first rank on top."""
    records = ranks.records()[:_MOST]
    names = [f"rank {row['rank']}" for row in records]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": title,
            "y": names,
            "x": [ms_per_step(row[part], row["steps"]) for row in records],
            "marker": {"color": colour},
            "hovertemplate": f"%{{y}}, {title}: %{{x:.4g}} ms<extra></extra>",
        }
        for part, title, colour in PARTS
    ]
    layout = {
        "barmode": "stack",
        "height": _FRAME_PX + _BAR_PX * len(records),
        "legend": {"traceorder": "normal"},
        "xaxis": {"title": {"text": "per step"}, "ticksuffix": " ms"},
        "yaxis": {"autorange": "reversed", "type": "category"},
    }
    return {"data": data, "layout": layout}


def ms_per_step(value: Cell, steps: Cell) -> float:
    """A duration over the whole recording as milliseconds of one step."""
    count = max(1, steps) if isinstance(steps, int) else 1
    return float(value) / count / 1e6 if isinstance(value, (int, float)) else 0.0
