"""The figures of the roofline section: points under roofs, and the shares of what they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from perfkit.base import units
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report.blocks import Figure

_POINTS = 300
_LARGEST, _SMALLEST = 34.0, 6.0
_SCALES = (
    (1e15, "PFLOP/s"),
    (1e12, "TFLOP/s"),
    (1e9, "GFLOP/s"),
    (1e6, "MFLOP/s"),
    (1e3, "kFLOP/s"),
)
_ALWAYS = ("matmul", "bfloat16")

Row = dict[str, Value]


def roofline_figure(rows: list[Row], roofs: list[Row], names: dict[str, str]) -> Figure | None:
    points = [row for row in rows if row["flops"] and row["nbytes"] and time_of(row)][:_POINTS]
    if not points:
        return None
    xs = [number(row["intensity"]) for row in points]
    ys = [reached(row) for row in points]
    series = _roofs(roofs, points, (min(xs) / 3, max(xs) * 3))
    tops = [max(line["y"]) for line in series]
    for bound, colour in (("compute", "--c1"), ("memory", "--c2")):
        mine = [row for row in points if row["bound"] == bound]
        if mine:
            series.append(_points(bound, mine, colour, names, max(map(time_of, points))))
    low, high = min(ys), max([*ys, *tops])
    layout = {
        "height": 440,
        "xaxis": {
            "type": "log", "title": {"text": "arithmetic intensity, FLOP per byte"}, "dtick": 1,
        },
        "yaxis": {"type": "log", **_rate_ticks(low, high)},
    }  # fmt: skip
    return Figure("chart-roofline", {"data": series, "layout": layout}, _in_words(points, roofs))


def _points(
    bound: str, rows: list[Row], colour: str, names: dict[str, str], longest: float
) -> dict[str, Any]:
    sizes = [max(_SMALLEST, _LARGEST * math.sqrt(time_of(row) / longest)) for row in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{bound}-bound operators",
        "x": [row["intensity"] for row in rows],
        "y": [reached(row) for row in rows],
        "customdata": [_hover(row, names) for row in rows],
        "marker": {"color": colour, "size": sizes, "opacity": 0.65},
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _hover(row: Row, names: dict[str, str]) -> str:
    parts = [
        f"{row['op']} {row['signature']}",
        str(row["module"] or "outside of modules"),
        line_of(row, names),
        f"{_words.per_step(row['calls'])} per step, {number(row['intensity']):.3g} FLOP/byte, "
        f"{rate(reached(row))}",
        f"{_words.duration(row['measured_ns'])}, floor {_words.duration(row['floor_ns'])}",
    ]
    return "<br>".join(_plain(part) for part in parts if part)


def _plain(text: str) -> str:
    """plotly reads a little markup in labels: what a program named must not be taken for it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _roofs(roofs: list[Row], points: list[Row], span: tuple[float, float]) -> list[dict[str, Any]]:
    """One line per unit and dtype that occurs, and bfloat16 products to compare with."""
    used = {(row["unit"], row["dtype"]) for row in points} | {_ALWAYS}
    if ("matmul", "float32") in used and not any(_is(r, "matmul", "float32") for r in roofs):
        used.add(("vector", "float32"))
    lines = []
    for roof in roofs:
        if (roof["unit"], roof["dtype"]) not in used or not roof["bytes_per_s"]:
            continue
        peak, bandwidth = number(roof["flops_per_s"]), number(roof["bytes_per_s"])
        ridge = peak / bandwidth
        xs = sorted({span[0], ridge, max(span[1], ridge * 2)})
        name = f"{roof['dtype']} {roof['unit']} roof"
        label = f"{name}: {rate(peak)} from {ridge:.3g} FLOP/byte on, {roof['origin']}"
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": xs,
                "y": [min(peak, bandwidth * x) for x in xs],
                "line": {"dash": "solid" if roof["unit"] == "matmul" else "dot", "width": 1.5},
                "marker": {"color": "--c0"},
                "hovertemplate": f"{label}<extra></extra>",
            }
        )
    return lines


def shares_figure(rows: list[Row]) -> Figure:
    """Where the time goes, with what moves no FLOP and what is not known drawn as well."""
    kinds: tuple[tuple[str, str, Callable[[Row], bool]], ...] = (
        ("compute-bound", "--c1", lambda r: r["bound"] == "compute"),
        ("memory-bound, with arithmetic", "--c2", lambda r: r["bound"] == "memory" and bool(r["flops"])),
        ("memory-bound, no arithmetic", "--c4", lambda r: r["bound"] == "memory" and not r["flops"]),
        ("moves nothing", "--c0", lambda r: r["bound"] == "nothing"),
        ("cost unknown", "--c3", lambda r: r["bound"] is None),
    )  # fmt: skip
    timed = all(row["measured_ns"] is not None for row in rows)
    weigh = time_of if timed else _calls
    whole = sum(map(weigh, rows)) or 1.0
    series, words = [], []
    for name, colour, belongs in kinds:
        share = sum(weigh(row) for row in rows if belongs(row)) / whole
        if not share:
            continue
        words.append(f"{name} {units.share(share)}")
        series.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": name,
                "x": [100 * share],
                "y": ["time" if timed else "calls"],
                "text": [units.share(share) if share > 0.05 else ""],
                "textposition": "inside",
                "marker": {"color": colour},
                "hovertemplate": f"{name}: {units.share(share)}<extra></extra>",
            }
        )
    layout = {
        "barmode": "stack",
        "height": 150,
        "xaxis": {"ticksuffix": " %", "range": [0, 100]},
        "yaxis": {"automargin": True},
    }
    of = "measured time of operators" if timed else "operator calls"
    return Figure("chart-roofline-shares", {"data": series, "layout": layout},
                  f"of the {of}: {', '.join(words)}")  # fmt: skip


def rate(value: float) -> str:
    """FLOP per second for people: `989 TFLOP/s`."""
    for scale, unit in _SCALES:
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.3g} FLOP/s"


def _rate_ticks(low: float, high: float) -> dict[str, Any]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [10.0**power for power in powers]
    return {"tickvals": values, "ticktext": [rate(value) for value in values]}


def _in_words(points: list[Row], roofs: list[Row]) -> str:
    parts = [
        f"{row['op']} at {number(row['intensity']):.3g} FLOP/byte reaches {rate(reached(row))}"
        for row in points[:5]
    ]
    return "; ".join(parts)


def reached(row: Row) -> float:
    return number(row["flops"]) / time_of(row) * 1e9


def time_of(row: Row) -> float:
    """Measured time where there is one, else the floor."""
    measured = row["measured_ns"]
    return number(row["floor_ns"] if measured is None else measured)


def line_of(row: Row, names: dict[str, str]) -> str:
    return "" if row["file"] is None else f"{names[str(row['file'])]}:{row['line']}"


def _is(row: Row, unit: str, dtype: str) -> bool:
    return row["unit"] == unit and row["dtype"] == dtype


def number(value: Value) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _calls(row: Row) -> float:
    return number(row["calls"])
