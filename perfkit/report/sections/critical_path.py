"""The chain of work and waiting that took the whole step, and what it is made of."""

from __future__ import annotations

from typing import Any

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Facts, Figure, Grid, Head, Part
from perfkit.report.sections._kernel_names import plain_name

ORDER = 43
_ROWS = 12
_NAME = 40

_CLASSES = {
    "python": ("host: Python, or no event", "--good"),
    "aten": ("host: ATen operators", "--c1"),
    "loading": ("host: loading data", "--c4"),
    "runtime": ("host: other runtime calls", "--c2"),
    "launch": ("launching: the call, until its work starts", "--c2"),
    "sync": ("waits: the call, and the return from it", "--c3"),
    "kernel": ("kernels", "--c1"),
    "copy": ("copies and fills", "--c3"),
    "communication": ("communication", "--c2"),
    "queue": ("launches held back by a full queue", "--c4"),
    "device gap": ("between two pieces of queued work", "--c0"),
    "unrecorded": ("nothing recorded says why work waited", "--c0"),
    "idle": ("before the first work of the step", "--c0"),
}
"""For people, and the colour: host first, then the device, as on the page's other bars."""

_SIDES = {
    "host": ("python", "aten", "loading", "runtime"),
    "launch": ("launch", "queue"),
    "wait": ("sync",),
    "device": ("kernel", "copy", "communication", "device gap"),
    "other": ("unrecorded", "idle"),
}


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no launch could be joined with its device work."""
    table = diagnosis.tables.get("critical_path")
    if table is None or not table.rows:
        return None
    parts: list[Part] = [Figure("chart-path", *_figure(table)), _classes(table)]
    replay = diagnosis.tables.get("replay")
    if replay is not None and replay.rows:
        parts.append(_facts(replay))
    longest = diagnosis.tables.get("path_segments")
    if longest is not None and longest.rows:
        parts.append(_segments(longest))
    lead = (
        "What the end of the step waited for, and what that waited for, back to its beginning: every "
        "moment of the step is on this path once. Only what is on it can shorten the step; time off "
        "the path is hidden behind it."
    )
    return Block("path", "Critical path", tuple(parts), lead)


def _figure(table: Table) -> tuple[dict[str, Any], str]:
    spent = {str(row["class"]): float(row["path_ns"] or 0) for row in table.records()}
    total = sum(spent.values()) or 1.0
    series, words = [], []
    for side, classes in _SIDES.items():
        for name in classes:
            value = spent.get(name, 0.0)
            if not value:
                continue
            label, colour = _CLASSES[name]
            words.append(f"{label} {units.share(value / total)}")
            series.append(_bar(f"{side} {name}", label, colour, value, total))
    layout = {
        "barmode": "stack",
        "showlegend": False,
        "height": 130,
        "xaxis": {"ticksuffix": " ms", "title": {"text": "per step"}},
        "yaxis": {"automargin": True},
    }
    return {"data": series, "layout": layout}, "; ".join(words)


def _bar(name: str, label: str, colour: str, value: float, total: float) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": [value / 1e6],
        "y": ["path"],
        "text": [label.split(": ")[-1].split(",")[0] if value > 0.12 * total else ""],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "marker": {"color": colour},
        "hovertemplate": f"{label}: {units.ns(value)}, {units.share(value / total)}<extra></extra>",
    }


def _classes(table: Table) -> Grid:
    heads = (Head("On the path"), Head("Per step", "number"), Head("Share", "number"))
    ranked = sorted(table.records(), key=lambda row: -float(row["path_ns"] or 0))
    rows = tuple(
        (
            Cell(_CLASSES.get(str(row["class"]), (str(row["class"]), ""))[0]),
            Cell(_words.duration(row["path_ns"])),
            _share(row["share"]),
        )
        for row in ranked
        if row["path_ns"]
    )
    return Grid(heads, rows)


def _facts(replay: Table) -> Facts:
    row = replay.records()[0]
    steps, of_steps = row["steps"], row["of_steps"]
    stood = f"{steps} of {of_steps} steps, of typical length"
    if steps == of_steps:
        stood = "the only step" if steps == 1 else f"all {steps} steps"
    return Facts(
        (
            (
                "longest chain of work alone",
                f"{_words.duration(row['bound_ns'])}, without any delay",
            ),
            ("busiest host thread", f"{_words.duration(row['host_ns'])} of work per step"),
            ("busiest stream", f"{_words.duration(row['device_ns'])} of work per step"),
            ("read from", stood),
        )
    )


def _segments(table: Table) -> Grid:
    records = table.records()
    names = short_names(str(row["file"]) for row in records if row["file"] is not None)
    heads = (
        Head("Longest parts"),
        Head("Kernel or call", "code"),
        Head("Operator", "code"),
        Head("Line", "code"),
        Head("Pieces", "number"),
        Head("Per step", "number"),
        Head("Share", "number"),
    )
    cells = [
        (
            Cell(str(row["class"])),
            _named(str(row["name"])),
            _named(_words.text(row["op"])),
            _line(row, names),
            Cell(_words.per_step(row["count"])),
            Cell(_words.duration(row["path_ns"])),
            _share(row["share"]),
        )
        for row in records
    ]
    return Grid(heads, tuple(cells), first=_ROWS)


def _named(name: str) -> Cell:
    short = plain_name(name, _NAME)
    return Cell(short, hint=name if short != name else "")


def _line(row: dict[str, Value], names: dict[str, str]) -> Cell:
    if row["file"] is None:
        return Cell("–")
    file = str(row["file"])
    return Cell(f"{names[file]}:{row['line']}", detail=str(row["function"] or ""), hint=file)


def _share(value: Value) -> Cell:
    known = isinstance(value, float)
    return Cell(units.share(value) if known else "–", bar=value if known else None)  # type: ignore[arg-type]
