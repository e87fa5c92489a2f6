"""The table of `perfkit verify`: one per case, the found code first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfkit.base import units

if TYPE_CHECKING:
    from rich.console import Console

    from perfkit.rewrites._measure import Asked, Row

COLUMNS = ("form", "CPU time", "x found", "ops", "syncs", "copies", "error")


def show(console: Console, rows: list[Row], asked: Asked, shape: str) -> None:
    """Print the forms on one case."""
    from rich.table import Table
    from rich.text import Text

    console.print()
    console.print(Text(asked.case, style="bold"), Text(shape, style="dim"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in COLUMNS:
        name = "completed" if name == "CPU time" and asked.device.type != "cpu" else name
        table.add_column(name, justify="left" if name == "form" else "right", no_wrap=True)
    table.add_column("", overflow="fold")
    first = next((row for row in rows if row.found_seconds is not None), None)
    if first is not None:
        table.add_row(*_found_cells(asked.against.name, first), style="dim")
    for row in rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    console.print(table)


def _found_cells(name: str, row: Row) -> list[str]:
    return [name, _time(row.found_seconds), "1", *_counts(row.found_counts), "", "as found"]


def _cells(row: Row) -> list[str]:
    if row.unavailable:
        return [row.form, "", "", "", "", "", "", f"not here: {row.unavailable}"]
    ratio = f"{row.ratio:.3g}" if row.ratio else ""
    return [row.form, _time(row.seconds), ratio, *_counts(row.counts), _error(row), _verdict(row)]


def _time(seconds: float | None) -> str:
    return "" if seconds is None else units.ns(round(seconds * 1e9))


def _counts(counts: object) -> list[str]:
    """Operators, syncs, copies; empty where they could not be counted."""
    return [str(getattr(counts, name, "")) for name in ("device_ops", "syncs", "copies")]


def _error(row: Row) -> str:
    """The larger of the errors in value and in gradient."""
    if row.parity is None:
        return ""
    worst = max(row.parity.value_error or 0.0, row.parity.gradient_error or 0.0)
    return f"{worst:.0e}" if worst else "0"


def _verdict(row: Row) -> str:
    words = ["chosen"] if row.chosen else []
    if row.parity:
        words.append("equal" if row.parity.holds else f"NOT EQUAL: {row.parity.reason}")
    elif row.quality:
        words.append(f"approximate: {row.quality}" + ("" if row.quality_holds else " EXCEEDED"))
    return ", ".join(words)
