"""What `perfkit verify` prints: per case a table, the found code first, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfkit.base import units

if TYPE_CHECKING:
    from rich.console import Console

    from perfkit.rewrites._measure import Asked, Row

COUNTED = ("ops", "syncs", "copies")


def show_conditions(console: Console, rows: list[Row], asked: Asked) -> None:
    """Say what the numbers are, so that nobody takes one for another."""
    from rich.text import Text

    what = "forward and backward" if asked.backward else "forward"
    dtype = str(asked.dtype).removeprefix("torch.")
    if asked.device.type == "cpu":
        time = "CPU time per call, on one thread"
    else:
        time = "Wall time per call, until the device is done"
    console.print(Text(f"{time}: {what}, {dtype}.", style="dim"))
    told = f"Ratio: time of {asked.against.name} over that of the form."
    if any(row.counts for row in rows):
        told += "\nOps, syncs, copies: what CUDA would see, counted on the pretend device."
    console.print(Text(told, style="dim"))


def show(console: Console, rows: list[Row], asked: Asked, shape: str) -> None:
    """Print the forms on one case, and which to use."""
    from rich.table import Table
    from rich.text import Text

    console.print()
    console.print(Text(f"{asked.case}: {shape}" if shape else asked.case, style="bold"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    time = "CPU time" if asked.device.type == "cpu" else "completed"
    table.add_column("form", no_wrap=True)
    for name in (time, "ratio", *COUNTED, "error"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    first = next((row for row in rows if row.found_seconds is not None), None)
    if first is not None:
        table.add_row(*_found_cells(asked.against.name, first), style="dim")
    for row in rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    console.print(table)
    for row in rows:
        if _remark(row):
            console.print(Text(f"  {row.form}: {_remark(row)}", style="dim"))
    for row in rows:
        if row.chosen:
            console.print(Text(conclusion(row, asked), style="bold"))


def conclusion(row: Row, asked: Asked) -> str:
    """In words, what the chosen form gives on these inputs."""
    if row.raised or row.unavailable:
        return f"{row.form} would be the choice, but {row.raised or row.unavailable}"
    if row.holds is False:
        return f"do not use {row.form} here: {_remark(row)}"
    told = [_gain(row.ratio)]
    if row.counts is not None and row.found_counts is not None:
        told.append(f"{row.found_counts.syncs} → {row.counts.syncs} syncs")
    if row.parity:
        proven = f"proven equal ({_error(row)})" if _error(row) != "0" else "proven equal"
    else:
        proven = f"approximate ({row.quality})" if row.quality else "not proven"
    return f"use {row.form}: {', '.join(told)}; {proven}"


def _gain(ratio: float | None) -> str:
    if ratio is None:
        return "not timed"
    times = f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}"
    return f"{times}x here" + (", which is slower" if ratio < 0.95 else "")


def _found_cells(name: str, row: Row) -> list[str]:
    return [name, _time(row.found_seconds), "1x", *_counts(row.found_counts), "", "as found"]


def _cells(row: Row) -> list[str]:
    ratio = f"{row.ratio:.3g}x" if row.ratio else ""
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
    """One or two words; the rest stands under the table."""
    words = ["chosen"] if row.chosen else []
    if row.unavailable:
        words.append("not here")
    elif row.raised:
        words.append("RAISES")
    elif row.parity:
        words.append("equal" if row.parity.holds else "NOT EQUAL")
    elif row.quality:
        words.append("approximate" if row.quality_holds else "TOO FAR OFF")
    return ", ".join(words)


def _remark(row: Row) -> str:
    if row.parity:
        return row.parity.reason
    return row.unavailable or row.raised or row.quality or ""
