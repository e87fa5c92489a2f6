"""What the step would take if something went: each row a replay of the step's dependency graph."""

from __future__ import annotations

from typing import Any

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis, Saving
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Figure, Grid, Head, Text
from perfkit.report.sections._kernel_names import plain_name

ORDER = 46
_TOGETHER = "all findings together"

_EDITS = {
    "no waits": ("The host never waits", "no synchronisation, no blocking copy"),
    "without waits": ("Without the waits of", ""),
    "copies overlapped": ("Copies overlap", "they block nobody and run beside the kernels"),
    "one CUDA graph per step": ("Each step is one CUDA graph", "if it can be captured"),
    "kernel 2x faster": ("Twice as fast:", ""),
    "collectives 2x faster": ("Collectives twice as fast", ""),
    "host 2x faster": ("The host twice as fast", "Python, operators, launches"),
    "loading in the background": ("Data loads in the background", "at no cost to the main thread"),
    _TOGETHER: (
        "All findings together",
        "each as it is likely to turn out; replayed jointly, not added up",
    ),
}


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent without a dependency graph; says why where one exists and nothing is predicted."""
    replay, table = diagnosis.tables.get("replay"), diagnosis.tables.get("what_if")
    if replay is None or not replay.rows:
        return None
    fit = replay.records()[0]
    if table is None or not table.rows:
        why = _words.text(fit["reason"]) if fit["reason"] else "nothing in it can be taken away"
        return Block("what-if", "What if", (Text(f"Nothing is predicted: {why}."),))
    records = table.records()
    now = float(records[0]["before_ns"] or 0)
    error = float(fit["error"] or 0)
    steps = "step" if fit["steps"] == 1 else f"{fit['steps']} steps"
    lead = (
        f"Each row replays the {steps} with something changed; now it takes {units.ns(now)}, "
        "counted until its last work has ended. Rows overlap and never add up. Whether the change "
        "can be made is not known here. Replayed unchanged, the step comes out "
        f"{units.share(error)} off its measured time, and the ranges include that."
    )
    parts = (Figure("chart-what-if", *_figure(records, now)), _grid(records, now))
    return Block("what-if", "What if", parts, lead)


def _figure(records: list[dict[str, Value]], now: float) -> tuple[dict[str, Any], str]:
    labels = [_short(row) for row in records]
    labels = [f"{text} " * (1 + labels[:at].count(text)) for at, text in enumerate(labels)]
    low, likely, high = (
        [float(row[f"{name}_ns"] or 0) / 1e6 for row in records]
        for name in ("low", "likely", "high")
    )
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": "likely",
        "x": likely[::-1],
        "y": labels[::-1],
        "marker": {"color": "--c1"},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [h - m for m, h in zip(likely, high, strict=True)][::-1],
            "arrayminus": [m - b for m, b in zip(likely, low, strict=True)][::-1],
        },
        "customdata": [
            f"{units.ns(b * 1e6)} to {units.ns(h * 1e6)}" for b, h in zip(low, high, strict=True)
        ][::-1],
        "hovertemplate": "%{y}: %{x:.4g} ms (%{customdata})<extra></extra>",
    }
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "now",
        "x": [now / 1e6] * 2,
        "y": [labels[-1], labels[0]],
        "marker": {"color": "--c3"},
        "hovertemplate": "now: %{x:.4g} ms<extra></extra>",
    }
    layout = {
        "showlegend": False,
        "height": 110 + 30 * len(records),
        "xaxis": {
            "ticksuffix": " ms",
            "title": {"text": "a step would take"},
            "rangemode": "tozero",
        },
        "yaxis": {"automargin": True},
    }
    words = [f"{_short(row)}: {_words.duration(row['likely_ns'])}" for row in records]
    return {"data": [bars, line], "layout": layout}, f"now {units.ns(now)}; " + "; ".join(words)


def _grid(records: list[dict[str, Value]], now: float) -> Grid:
    names = short_names(str(row["file"]) for row in records if row["file"] is not None)
    heads = (
        Head("If"),
        Head("A step would take", "number"),
        Head("Saves", "number"),
        Head("Of the step", "number"),
    )
    return Grid(heads, tuple(_row(row, names, now) for row in records))


def _row(row: dict[str, Value], names: dict[str, str], now: float) -> tuple[Cell, ...]:
    low, likely, high = (round(float(row[f"{name}_ns"] or 0)) for name in ("low", "likely", "high"))
    least, usual, most = (max(0, round(now) - ns) for ns in (high, likely, low))
    saved = Saving(least, usual, most, "what-if")
    share = saved.likely_ns / now if now else 0.0
    return (
        _edit(row, names),
        Cell(units.ns(likely), detail=f"{units.ns(low)} to {units.ns(high)}"),
        Cell(units.ns(saved.likely_ns), detail=_words.span(saved)),
        Cell(units.share(share), bar=share),
    )


def _edit(row: dict[str, Value], names: dict[str, str]) -> Cell:
    title, detail = _EDITS.get(str(row["edit"]), (str(row["edit"]), ""))
    name = str(row["name"] or "")
    if row["file"] is not None:
        file = str(row["file"])
        return Cell(f"{title} {names[file]}:{row['line']}", detail=name, hint=file)
    plain = plain_name(name) if name else ""
    return Cell(f"{title} {plain}".rstrip(), detail=detail, hint=name if plain != name else "")


def _short(row: dict[str, Value]) -> str:
    """A label for the figure's axis."""
    title, _ = _EDITS.get(str(row["edit"]), (str(row["edit"]), ""))
    if row["file"] is not None:
        return f"{title} {str(row['file']).replace(chr(92), '/').rsplit('/', 1)[-1]}:{row['line']}"
    if row["name"] is None:
        return title
    return f"{title} {plain_name(str(row['name']), 30)}"
