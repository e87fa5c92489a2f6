"""The page of `perfkit bench`: configurations beside each other, both clocks, counts and quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfkit.base import units
from perfkit.report import html
from perfkit.report.blocks import Block, Cell, Figure, Grid, Head, Hero, Text, Tile

Rows = Sequence[Mapping[str, Any]]


def render(workload: str, device: str, rows: Rows, data: str) -> str:
    """The whole page as one HTML document.

    Args:
        rows: one per configuration, as `cli/bench.py` writes them to JSON.
        data: name of the JSON file.
    """
    return html.page(blocks(workload, rows), f"bench {workload}", device, data)


def blocks(workload: str, rows: Rows) -> list[Block]:
    """Verdict, chart and table, and what was expected beside what came out."""
    made = [Block("verdict", "Verdict", (_hero(workload, rows),))]
    parts = [_table(rows)] if _chart(rows) is None else [_figure(rows), _table(rows)]
    lead = (
        "Dispatch is when Python had handed over all work, completed when the device had done it. "
        "On a CPU they are the same, and ratios are of CPU time. "
        "Operators, syncs and copies are counted on the pretend device."
    )
    made.append(Block("configurations", "Configurations", tuple(parts), lead))
    expected = [row for row in rows if row.get("prediction")]
    if expected:
        made.append(Block("predictions", "Expected and measured", (_predictions(expected),)))
    return made


def name(row: Mapping[str, Any]) -> str:
    """A configuration in words; the default one is `as found`."""
    return ", ".join(f"{k}={v}" for k, v in row["settings"].items()) or "as found"


def _hero(workload: str, rows: Rows) -> Hero:
    done = [row for row in rows if row["completed_s"] is not None]
    if not done:
        return Hero("Nothing could be measured.", _failures(rows), "Read the reasons below.")
    best = max(done, key=lambda row: row["times_found"] or 0)
    what = f"{name(best)} takes {_time(best['completed_s'])} per {best['unit']}."
    if (best["times_found"] or 0) > 1:
        what = f"{what[:-1]}, {best['times_found']:.3g} times as fast as found."
    escaped = [name(row) for row in done if row["escaped"]]
    why = _why(rows[0], best)
    after = (
        f"A timer around the call alone would miss device time of {', '.join(escaped)}."
        if escaped
        else f"perfkit profile -m perfkit.workloads.{workload} shows the lines behind it."
    )
    tiles = tuple(Tile(name(row), _time(row["completed_s"]), _counted(row)) for row in done[:4])
    return Hero(what, why, after, tiles)


def _why(first: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    """What the fastest asks of the device instead, and whether its results are the same."""
    same = "Results are those of the found program but for rounding."
    if best["approximate"]:
        same = f"Results differ: {'; '.join(best['approximate'])}."
    before, after = first["counts"], best["counts"]
    if best is first or not before or not after:
        return same
    parts = [
        f"{units.count(after[key])} {word} instead of {units.count(before[key])}"
        for key, word in (("device_ops", "device operators"), ("syncs", "syncs"))
        if after[key] != before[key]
    ]
    return f"{', '.join(parts)}. {same}" if parts else same


def _failures(rows: Rows) -> str:
    return "; ".join(f"{name(row)}: {row['failed']}" for row in rows if row["failed"]) or "–"


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else units.ns(round(seconds * 1e9))


def _counted(row: Mapping[str, Any]) -> str:
    counts = row["counts"]
    return (
        f"{units.count(counts['device_ops'])} device ops, {units.count(counts['syncs'])} syncs"
        if counts
        else ""
    )


def _chart(rows: Rows) -> dict[str, Any] | None:
    done = [row for row in rows if row["completed_s"]]
    if len(done) < 2:
        return None
    labels = [name(row) for row in done]
    series = [
        {
            "type": "bar",
            "orientation": "h",
            "name": clock,
            "y": labels,
            "x": [row[f"{clock}_s"] for row in done],
            "marker": {"color": colour},
            "hovertemplate": f"%{{y}}, {clock}: %{{x:.4g}} s<extra></extra>",
        }
        for clock, colour in (("completed", "--c1"), ("dispatch", "--c2"))
    ]
    layout = {
        "barmode": "group",
        "height": 90 + 46 * len(done),
        "xaxis": {"ticksuffix": " s", "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed"},
    }
    return {"data": series, "layout": layout}


def _figure(rows: Rows) -> Figure:
    spec = _chart(rows)
    assert spec is not None
    return Figure("chart-bench", spec, "Completed and dispatch time of each configuration")


def _table(rows: Rows) -> Grid | Text:
    measures = list(dict.fromkeys(key for row in rows for key in row["quality"]))
    heads = (
        Head("Configuration", "code"),
        *(Head(title, "number") for title in ("Completed", "x found", "Dispatch")),
        *(Head(title, "number") for title in ("Device ops", "Syncs", "Copies")),
        *(Head(measure, "number") for measure in measures),
        Head("Peak memory", "number"),
        Head("Note"),
    )
    return Grid(heads, tuple(_cells(row, measures) for row in rows))


def _cells(row: Mapping[str, Any], measures: list[str]) -> tuple[Cell, ...]:
    counts = row["counts"] or {}
    return (
        Cell(name(row)),
        Cell(_time(row["completed_s"])),
        Cell(f"{row['times_found']:.3g}" if row["times_found"] else "–"),
        Cell(_time(row["dispatch_s"])),
        *(
            Cell(units.count(counts[key]) if key in counts else "–")
            for key in ("device_ops", "syncs", "copies")
        ),
        *(Cell(_number(row["quality"].get(measure))) for measure in measures),
        Cell(units.nbytes(row["peak_bytes"]) if row["peak_bytes"] else "–"),
        Cell(note(row)),
    )


def note(row: Mapping[str, Any]) -> str:
    """Why there is no time, or what to know about it."""
    if row["failed"]:
        return str(row["failed"])
    words = ["approximate: " + "; ".join(row["approximate"])] if row["approximate"] else ["exact"]
    if row["escaped"]:
        words.append("time escapes the timer: dispatch ends well before the device")
    return ", ".join([*words, *row.get("notes", ())])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _predictions(rows: Rows) -> Grid:
    heads = (Head("Hypothesis"), Head("Configuration", "code"), Head("Expected"), Head("Measured"))
    lines = []
    for row in rows:
        for key, expected in row["prediction"].items():
            lines.append(
                (
                    Cell(row["hypothesis"] or "–"),
                    Cell(name(row)),
                    Cell(f"{key} {expected:.4g}"),
                    Cell(_number(measured(row, key))),
                )
            )
    return Grid(heads, tuple(lines))


def measured(row: Mapping[str, Any], key: str) -> float | None:
    """The measured value that a prediction is about; None where there is none."""
    counts = row["counts"] or {}
    for place in (row, counts, row["quality"]):
        value = place.get(key)
        if isinstance(value, (int, float)):
            return float(value)
    return None
