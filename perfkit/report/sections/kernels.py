"""Kernels by name and by operator, and the launches that started them."""

from __future__ import annotations

from statistics import mean
from typing import Any

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Facts, Figure, Grid, Head, Part

ORDER = 57
_ROWS = 15
_NAME = 72
_ANONYMOUS = "(anonymous namespace)::"


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no device was traced."""
    names = diagnosis.tables.get("kernels")
    if names is None or not names.rows:
        return None
    parts: list[Part] = []
    launches = diagnosis.tables.get("launch_queue")
    if launches is not None and launches.rows:
        parts.append(_launches(launches))
    queue = diagnosis.tables.get("queue_over_time")
    if queue is not None and any(row["queue"] for row in queue.records()):
        summary = "Launches waiting in front of the device, over the time of the steps"
        parts.append(Figure("chart-queue", _queue(queue), summary))
    parts.append(_kernels(names))
    ops = diagnosis.tables.get("kernel_ops")
    if ops is not None and ops.rows:
        parts.append(_ops(ops))
    lead = "Per step; shares are of the summed time of all device work, overlap included."
    return Block("kernels", "Kernels and launches", tuple(parts), lead, "Kernels")


def _launches(table: Table) -> Facts:
    records = table.records()

    def of(name: str) -> list[float]:
        return [float(v) for v in (row[name] for row in records) if isinstance(v, (int, float))]

    kernels, short = mean(of("kernels")), mean(of("short_kernels"))
    share = mean(of("short_share")) if of("short_share") else None
    delay = mean(of("delay_median_ns")) if of("delay_median_ns") else None
    pairs = [
        ("launches per step", _words.per_step(mean(of("launches")))),
        ("kernels per step", _words.per_step(kernels)),
        (
            "shorter than 10 µs",
            f"{_words.per_step(short)} of them, {_words.share(share)} of their time",
        ),
        ("from launch to start", f"{_words.duration(delay)} in the median"),
        (
            "launches waiting",
            f"{_words.per_step(mean(of('queue_mean')))} on average, {max(of('queue_max')):,.0f} at "
            f"most; none for {_words.share(mean(of('queue_empty_share')))} of the time",
        ),
        ("blocked on a full queue", _words.duration(mean(of("blocked_full_ns")))),
    ]
    graphs = mean(of("graph_launches"))
    if graphs:
        pairs.insert(1, ("of them CUDA graphs", _words.per_step(graphs)))
    return Facts(tuple(pairs))


def _queue(table: Table) -> dict[str, Any]:
    records = table.records()
    times = [float(row["time_ns"] or 0) / 1e6 for row in records]
    series = {
        "type": "scatter",
        "mode": "lines",
        "name": "queue",
        "x": times,
        "y": [row["queue"] for row in records],
        "line": {"shape": "hv", "width": 1},
        "fill": "tozeroy",
        "marker": {"color": "--c1"},
        "hovertemplate": "%{x:.4g} ms: %{y} launches waiting<extra></extra>",
    }
    return {
        "data": [series],
        "layout": {
            "height": 220,
            "showlegend": False,
            "xaxis": {"title": {"text": "since the first step"}, "ticksuffix": " ms"},
            "yaxis": {"title": {"text": "launches waiting"}, "rangemode": "tozero"},
        },
    }


def _kernels(table: Table) -> Grid:
    heads = (
        Head("Kernel", "code"),
        Head("Launched by", "code"),
        Head("Calls", "number"),
        Head("Time", "number"),
        Head("Each", "number"),
        Head("Share", "number"),
    )
    cells = [
        (
            _named(str(row["name"])),
            Cell(_words.text(row["op"])),
            Cell(_words.per_step(row["calls"])),
            Cell(_words.duration(row["time_ns"])),
            Cell(_words.duration(row["mean_ns"])),
            _share(row["share"]),
        )
        for row in table.records()
    ]
    return Grid(heads, tuple(cells), first=_ROWS)


def _ops(table: Table) -> Grid:
    heads = (
        Head("Operator", "code"),
        Head("Kernels", "number"),
        Head("Time on the device", "number"),
        Head("Share", "number"),
    )
    cells = [
        (
            Cell(str(row["op"])),
            Cell(_words.per_step(row["kernels"])),
            Cell(_words.duration(row["time_ns"])),
            _share(row["share"]),
        )
        for row in table.records()
    ]
    return Grid(heads, tuple(cells), first=_ROWS)


def _named(name: str) -> Cell:
    """The telling part of a kernel's name; templates and arguments behind it as a hint."""
    short = name.removeprefix("void ").replace("at::native::", "").replace(_ANONYMOUS, "")
    short = short if len(short) <= _NAME else short[: _NAME - 1] + "…"
    return Cell(short or "–", hint=name if short != name else "")


def _share(value: Value) -> Cell:
    return Cell(_words.share(value), bar=value if isinstance(value, float) else None)
