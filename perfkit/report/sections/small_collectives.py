"""Collectives that could travel together, and all-to-alls in which one rank moves more than others."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head, Part

ORDER = 67
_ROWS = 12


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent without small collectives that could be joined and without all-to-alls of known sizes."""
    parts: list[Part] = []
    buckets = [row for row in _records(diagnosis, "gradient_buckets") if row["small"]]
    uneven = [r for r in _records(diagnosis, "uneven_all_to_alls") if float(r["ratio"] or 0) > 1]
    parts += [_buckets(buckets)] if buckets else []
    parts += [_uneven(uneven)] if uneven else []
    lead = (
        "Over the whole recording. Small is below 1 MiB, and the shortest of them tells what one costs "
        "whatever its size."
    )
    title = "Collectives that are small or uneven"
    return Block("small-collectives", title, tuple(parts), lead, "Small") if parts else None


def _records(diagnosis: Diagnosis, name: str) -> list[dict[str, Value]]:
    table = diagnosis.tables.get(name)
    return [] if table is None else table.records()


def _buckets(records: list[dict[str, Value]]) -> Grid:
    heads = (
        Head("Collective", "code"),
        Head("Small", "number"),
        Head("Bytes", "number"),
        Head("Time", "number"),
        Head("Exposed", "number"),
        Head("Shortest", "number"),
        Head("Large", "number"),
    )
    rows = tuple(
        (
            Cell(_words.text(row["kind"]), detail=f"group {row['group']}" if row["group"] else ""),
            Cell(_words.text(row["small"])),
            Cell(_words.size(row["small_bytes"])),
            Cell(_words.duration(row["small_ns"])),
            Cell(_words.duration(row["small_exposed_ns"])),
            Cell(_words.duration(row["latency_ns"])),
            Cell(_words.text(row["large"])),
        )
        for row in records
    )
    return Grid(heads, rows, first=_ROWS)


def _uneven(records: list[dict[str, Value]]) -> Grid:
    heads = (
        Head("All-to-all", "code"),
        Head("Heaviest rank", "number"),
        Head("It moves", "number"),
        Head("The mean", "number"),
        Head("Transfer", "number"),
        Head("Others wait for it", "number"),
    )
    ranked = sorted(records, key=lambda row: -float(row["ratio"] or 0))
    rows = tuple(
        (
            Cell(f"{_words.text(row['group'])} #{_words.text(row['number'])}"),
            Cell(_words.text(row["heaviest_rank"])),
            Cell(_words.size(row["most_bytes"])),
            Cell(_words.size(row["mean_bytes"])),
            Cell(_words.duration(row["transfer_ns"])),
            Cell(_words.duration(row["caused_ns"])),
        )
        for row in ranked
    )
    return Grid(heads, rows, first=_ROWS)
