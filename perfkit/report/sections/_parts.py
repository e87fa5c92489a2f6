"""Names of the parts of a step for people, and their bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perfkit.base import units

HOST = {
    "python": "Python, or no event",
    "aten": "ATen operators",
    "launching": "runtime calls: launches, allocations",
    "sync_wait": "waiting for the device",
    "loading": "loading data",
    "other": "other: profiler, CPU collectives",
}
DEVICE = {
    "compute": "compute",
    "exposed_comm": "exposed communication",
    "exposed_copies": "exposed copies and fills",
    "graph_gaps": "between kernels of a CUDA graph",
    "idle": "idle",
}
CAUSES = {
    "sync": "the host waited until the device ran dry",
    "loading": "the host loaded data",
    "python": "the host was in Python",
    "aten": "the host was in ATen operators",
    "launching": "the host was in runtime calls",
    "other": "the host did something else",
    "collective": "queued behind a collective",
    "stream": "queued behind another stream or process",
    "handover": "from one queued kernel to the next",
}
_COLOURS = {
    "compute": "--c1",
    "exposed_comm": "--c2",
    "exposed_copies": "--c3",
    "graph_gaps": "--c4",
    "idle": "--c0",
    "aten": "--c1",
    "launching": "--c2",
    "sync_wait": "--c3",
    "loading": "--c4",
    "python": "--good",
    "other": "--c0",
}


def parts_figure(sides: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, Any], str]:
    """One bar per side, its parts behind each other, and the same in words."""
    series, words = [], []
    for side, parts in sides.items():
        names, total = (HOST if side == "host" else DEVICE), sum(parts.values()) or 1.0
        for part, value in parts.items():
            if not value:
                continue
            label = names.get(part, part)
            words.append(f"{side}: {label} {value / total:.0%}")
            series.append(_bar(side, part, label, value, total))
    layout = {
        "barmode": "stack",
        "showlegend": False,
        "height": 90 + 46 * len(sides),
        "xaxis": {"ticksuffix": " ms", "title": {"text": "per step"}},
        "yaxis": {"automargin": True},
    }
    return {"data": series, "layout": layout}, "; ".join(words)


def _bar(side: str, part: str, label: str, value: float, total: float) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": f"{side} {part}",
        "x": [value / 1e6],
        "y": [side],
        "text": [label if value > 0.12 * total else ""],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "marker": {"color": _COLOURS.get(part, "--c0")},
        "hovertemplate": f"{label}: {units.ns(value)}, {value / total:.0%}<extra></extra>",
    }
