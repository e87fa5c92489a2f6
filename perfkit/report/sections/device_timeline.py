"""GPU and host over time: NVML's utilisation and the trace's kernels on one axis, the CPU below."""

from __future__ import annotations

from typing import Any

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Figure, Grid, Head, Part, Text, capped

ORDER = 52
_ROWS = 40
_MOST_DEVICES = 4
_COLOURS = ("--c1", "--c2", "--c3", "--c4")
_NAMES = {
    "sm_utilisation": "NVML utilisation",
    "memory_utilisation": "memory controller busy",
    "memory_used": "memory in use, all programs",
    "process_memory": "memory of this process",
    "process_utilisation": "utilisation by this process",
    "sm_clock": "SM clock",
    "memory_clock": "memory clock",
    "power": "power",
    "temperature": "temperature",
    "pcie_sent": "PCIe, from the device",
    "pcie_received": "PCIe, to the device",
    "nvlink_sent": "NVLink, sent",
    "nvlink_received": "NVLink, received",
    "cpu_busy": "cores busy",
    "process_cpu": "cores used by the process",
    "workers": "worker processes",
    "workers_cpu": "cores used by its workers",
    "process_rss": "memory of the process",
    "workers_rss": "memory of its workers",
    "memory_available": "memory available",
    "disk_read": "disk, read",
    "disk_written": "disk, written",
    "network_received": "network, received",
    "network_sent": "network, sent",
}
"""What is shown, in words; throttle reasons come beside, the rest is in diagnosis.json."""


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where nothing was sampled."""
    over_time = diagnosis.tables.get("device_timeline")
    if over_time is None:
        return None
    kernels = diagnosis.tables.get("kernel_busy")
    parts: list[Part] = []
    if len(over_time.rows) > 1:
        parts.append(Figure("chart-devices", _figure(over_time, kernels), _summary(diagnosis)))
    parts += [Text(text) for text in _disagreement(diagnosis)]
    tables = [diagnosis.tables.get(name) for name in ("device_samples", "host_samples")]
    parts += [grid for table in tables if table is not None for grid in _grids(table)]
    if not parts:
        return None
    lead = (
        "Sampled while steps ran. NVML counts the time in which some kernel was resident, however "
        "little of the device it filled; kernels are those of the trace."
    )
    if "sampling" in diagnosis.facts:
        lead += f" The sampler: {diagnosis.facts['sampling']}."
    return Block("devices", "GPU and host over time", tuple(parts), lead, "Over time")


def _disagreement(diagnosis: Diagnosis) -> list[str]:
    table = diagnosis.tables.get("utilisation")
    records = table.records() if table is not None else []
    texts = []
    for row in records[:_MOST_DEVICES]:
        energy = row["energy_per_step"]
        spent = f" A step takes {_joules(energy)} ({row['energy_from']})." if energy else ""
        texts.append(f"GPU {row['device']}: {str(row['words']).rstrip('.')}.{spent}")
    return texts


def _summary(diagnosis: Diagnosis) -> str:
    said = _disagreement(diagnosis)
    return " ".join(said) if said else "CPU of the process and its workers over time"


def _grids(table: Table) -> list[Grid]:
    """What was had over the whole time, and what was not, with the reasons."""
    records = table.records()
    several = len({row["subject"] for row in records}) > 1
    had = [row for row in records if row["phase"] == "whole" and row["why"] is None]
    shown = [row for row in had if _name(row) is not None]
    missing = [row for row in records if row["why"] is not None]
    grids = []
    if shown:
        heads = (
            Head("Of the host" if records[0]["subject"] == "host" else "Of the GPU"),
            Head("Lowest", "number"),
            Head("Mean", "number"),
            Head("Highest", "number"),
            Head("Samples", "number"),
        )
        rows, more = capped([_row(row, several) for row in shown], _ROWS)
        grids.append(Grid(heads, rows, more))
    if missing:
        cells = [
            (
                Cell((f"{row['subject']}: " if several else "") + str(row["quantity"])),
                Cell(f"not available because {row['why']}"),
            )
            for row in missing
        ]
        rows, more = capped(cells, _ROWS)
        whose = "the host's sampler" if records[0]["subject"] == "host" else "the GPU's"
        folded = f"What {whose} could not tell ({len(missing)})"
        grids.append(Grid((Head("What"), Head("Why")), rows, more, folded))
    return grids


def _row(row: dict[str, Value], several: bool) -> tuple[Cell, ...]:
    name = (f"{row['subject']}: " if several else "") + str(_name(row))
    numbers = (_shown(row[part], row["unit"]) for part in ("low", "mean", "high"))
    return (Cell(name), *map(Cell, numbers), Cell(_words.text(row["samples"])))


def _name(row: dict[str, Value]) -> str | None:
    quantity = str(row["quantity"])
    if quantity.startswith("throttle: "):
        return f"clocks limited: {quantity.removeprefix('throttle: ')}"
    return _NAMES.get(quantity)


def _shown(value: Value, unit: Value) -> str:
    if not isinstance(value, (int, float)):
        return "–"
    match unit:
        case "ratio":
            return units.share(value)
        case "bytes":
            return units.nbytes(value)
        case "bytes/s":
            return f"{units.nbytes(value)}/s"
        case "hertz":
            return f"{value / 1e6:,.0f} MHz"
        case "watt":
            return f"{value:,.0f} W"
        case "celsius":
            return f"{value:.0f} °C"
        case "joule":
            return _joules(value)
        case _:
            return f"{value:,.2f}".rstrip("0").rstrip(".")


def _joules(value: Value) -> str:
    if not isinstance(value, (int, float)):
        return "–"
    return f"{value * 1000:,.0f} mJ" if value < 1 else f"{value:,.1f} J"


def _figure(over_time: Table, kernels: Table | None) -> dict[str, Any]:
    """Above: NVML (lines) and kernels (areas) as percentages; below: cores of the process and workers."""
    records = over_time.records()
    subjects = list(dict.fromkeys(str(row["subject"]) for row in records))
    gpus = [name for name in subjects if name != "host"][:_MOST_DEVICES]
    data: list[dict[str, Any]] = []
    for index, gpu in enumerate(gpus):
        colour = _COLOURS[index]
        own = [row for row in records if row["subject"] == gpu]
        name = f"{gpu}, NVML" if len(gpus) > 1 else "NVML utilisation"
        data += _line(own, "sm_utilisation", name, colour, 100, "y", "%")
        data += _kernels(kernels, gpu, colour, len(gpus) > 1)
    mine = [row for row in records if row["subject"] == "host"]
    below = "y2" if data else "y"
    data += _line(mine, "process_cpu", "process", _COLOURS[1], 1, below, " cores")
    data += _line(mine, "workers_cpu", "workers", _COLOURS[2], 1, below, " cores")
    cores = {"title": {"text": "cores"}, "rangemode": "tozero"}
    layout: dict[str, Any] = {
        "height": 380 if below == "y2" else 240,
        "xaxis": {"title": {"text": "since the first sample"}, "ticksuffix": " s"},
        "yaxis": cores,
    }
    if below == "y2":
        layout["yaxis"] = {
            "title": {"text": "GPU busy"},
            "range": [0, 105],
            "ticksuffix": " %",
            "domain": [0.42, 1],
        }
        layout["yaxis2"] = {**cores, "domain": [0, 0.3]}
        layout["xaxis"]["anchor"] = "y2"
    return {"data": data, "layout": layout}


def _line(
    rows: list[dict[str, Value]],
    quantity: str,
    name: str,
    colour: str,
    factor: float,
    axis: str,
    suffix: str,
) -> list[dict[str, Any]]:
    """One quantity over time; what was missing at a moment is bridged, and nothing drawn without any."""
    had = [(row["at_ns"], row[quantity]) for row in rows if row[quantity] is not None]
    if not had:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines" if len(had) > 1 else "markers",
            "name": name,
            "x": [_seconds(at) for at, _ in had],
            "y": [_number(value) * factor for _, value in had],
            "yaxis": axis,
            "line": {"width": 1.5},
            "marker": {"color": colour},
            "hovertemplate": f"%{{x:.4g}} s: {name} %{{y:.3g}}{suffix}<extra></extra>",
        }
    ]


def _kernels(table: Table | None, gpu: str, colour: str, several: bool) -> list[dict[str, Any]]:
    """The share that kernels covered, as steps under a line."""
    rows = table.records() if table is not None else []
    mine = [row for row in rows if f"device {row['device']}" == gpu]
    if not mine:
        return []
    name = f"{gpu}, kernels" if several else "kernels in the trace"
    last = mine[-1]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [*(_seconds(row["from_ns"]) for row in mine), _seconds(last["to_ns"])],
            "y": [*(_number(row["share"]) * 100 for row in mine), _number(last["share"]) * 100],
            "yaxis": "y",
            "line": {"shape": "hv", "width": 1, "dash": "dot"},
            "fill": "tozeroy",
            "marker": {"color": "--c4" if not several else colour},
            "hovertemplate": f"%{{x:.4g}} s: {name} %{{y:.3g}} %<extra></extra>",
        }
    ]


def _seconds(value: Value) -> float:
    return _number(value) / 1e9


def _number(value: Value) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
