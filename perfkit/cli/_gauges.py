"""The latest samples as a table that is drawn again and again, or as one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from perfkit.base import units

if TYPE_CHECKING:
    from rich.table import Table

Latest = Mapping[str, Mapping[str, float]]
_GPU = (
    ("sm_utilisation", "busy", "ratio"),
    ("memory_used", "memory", "bytes"),
    ("power", "power", "watt"),
    ("sm_clock", "clock", "hertz"),
    ("temperature", "temperature", "celsius"),
)
_HOST = (
    ("process_cpu", "process", "cores"),
    ("process_rss", "memory", "bytes"),
    ("workers", "children", "count"),
    ("workers_cpu", "theirs", "cores"),
    ("cpu_busy", "all cores", "ratio"),
    ("disk_read", "disk", "bytes/s"),
    ("network_received", "network", "bytes/s"),
)


def table(latest: Latest, title: str) -> Table:
    """A row per subject, its gauges beside each other; what is unknown is a dash."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=Text(title), title_justify="left", box=None, padding=(0, 2, 0, 0))
    for _ in range(1 + len(_HOST)):
        grid.add_column(justify="right")
    for subject, values in latest.items():
        told = [f"{name} {_shown(values.get(key), unit)}" for key, name, unit in _of(subject)]
        grid.add_row(*map(Text, (subject, *told)))
    return grid


def line(latest: Latest, seconds: float) -> str:
    """Everything that is known in one line."""
    parts = [f"{seconds:.0f} s"]
    for subject, values in latest.items():
        told = [
            f"{name} {_shown(values[key], unit)}"
            for key, name, unit in _of(subject)
            if key in values
        ]
        if told:
            parts.append(f"{subject}: {', '.join(told)}")
    return " | ".join(parts)


def _of(subject: str) -> tuple[tuple[str, str, str], ...]:
    return _HOST if subject == "host" else _GPU


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    match unit:
        case "ratio":
            return units.share(value)
        case "bytes":
            return units.nbytes(value)
        case "bytes/s":
            return f"{units.nbytes(value)}/s"
        case "hertz":
            return f"{value / 1e6:.0f} MHz"
        case "watt":
            return f"{value:.0f} W"
        case "celsius":
            return f"{value:.0f} °C"
        case "cores":
            return f"{value:.1f} cores"
        case _:
            return f"{value:.0f}"
