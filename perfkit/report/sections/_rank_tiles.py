"""The numbers of the first screen where many ranks were read: the median rank, and the extremes."""

from __future__ import annotations

from statistics import median

from perfkit.model.table import Cell, Table
from perfkit.report import _words
from perfkit.report.blocks import Tile


def rank_tiles(ranks: Table) -> tuple[Tile, ...]:
    """Step time, waiting and idle time of the median rank with the worst beside it; who was waited for."""
    records = ranks.records()
    return (
        _spread("step time, median rank", records, "window_ns"),
        _spread("waiting for later ranks, median rank", records, "waiting_ns"),
        _spread("device idle, median rank", records, "idle_ns"),
        _waited_for(records),
    )


def _spread(label: str, records: list[dict[str, Cell]], column: str) -> Tile:
    each = {str(row["rank"]): _per_step(row, column) for row in records}
    least, most = min(each, key=lambda r: each[r]), max(each, key=lambda r: each[r])
    low, high = _words.duration(each[least]), _words.duration(each[most])
    detail = f"{low} (rank {least}) to {high} (rank {most})"
    value = _words.duration(median(each.values()))
    return Tile(label, value, detail if low != high else "the same on every rank")


def _waited_for(records: list[dict[str, Cell]]) -> Tile:
    worst = max(records, key=lambda row: _per_step(row, "caused_ns"))
    caused = _per_step(worst, "caused_ns")
    if not caused:
        return Tile("waited for most", "–", "no rank was last by more than noise")
    detail = f"the others wait {_words.duration(caused)} per step on average"
    return Tile("waited for most", f"rank {worst['rank']}", detail)


def _per_step(row: dict[str, Cell], column: str) -> float:
    value, steps = row[column], row["steps"]
    count = max(1, steps) if isinstance(steps, int) else 1
    return float(value) / count if isinstance(value, (int, float)) else 0.0
