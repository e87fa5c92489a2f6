"""Many ranks: who was late, by how much, in which phase, and what it cost the others."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Figure, Grid, Head, Part
from perfkit.report.sections._rank_bars import rank_bars

ORDER = 65
_ROWS = 12
_RANKS = 64
_UNEVEN = 1.1
_MADE = {
    "began": "began its step later",
    "compute": "computed longer",
    "communication": "was held up in other groups",
    "copies": "copied longer",
    "input": "waited for data",
    "idle": "device waited for its host",
}
_PHASES = ("began_ns", "compute_ns", "communication_ns", "copies_ns", "input_ns", "idle_ns")


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where only one rank was looked at."""
    ranks = diagnosis.tables.get("ranks")
    if ranks is None or not ranks.rows:
        return None
    parts: list[Part] = []
    late = diagnosis.tables.get("late_ranks")
    if late is not None and late.rows:
        parts.append(_late(late, _steps(ranks)))
    summary = "Where the step of each rank went: compute, communication, copies, loading, idle"
    parts.append(Figure("chart-ranks", rank_bars(ranks), summary))
    collectives = diagnosis.tables.get("rank_collectives")
    if collectives is not None and collectives.rows:
        parts.append(_collectives(collectives))
    parts.append(_clocks(ranks))
    lead = (
        "All ranks leave a collective together, so whoever comes last is waited for. A late rank is "
        "compared with the median rank, phase by phase, since both left the collective before. What "
        "it alone is late by, behind the last but one, is what mending it alone would win."
    )
    return Block("ranks", "Late ranks", tuple(parts), lead, "Ranks")


def _late(table: Table, steps: int) -> Grid:
    heads = (
        Head("Came last"),
        Head("Collectives", "number"),
        Head("Late by, per step", "number"),
        Head("Others wait", "number"),
        Head("Because it"),
        Head("Began later", "number"),
        Head("Compute", "number"),
        Head("Other groups", "number"),
        Head("Copies", "number"),
        Head("Input", "number"),
        Head("Host", "number"),
    )
    records = table.records()
    most = max((abs(_number(row["late_by_ns"])) for row in records), default=0)
    rows = [
        (
            Cell(f"rank {row['rank']}"),
            Cell(_words.text(row["times"])),
            Cell(_each(row["late_by_ns"], steps), bar=_number(row["late_by_ns"]) / most),
            Cell(_each(row["caused_ns"], steps)),
            Cell(_MADE.get(str(row["phase"]), _words.text(row["phase"]))),
            *(Cell(_difference(row[phase], steps)) for phase in _PHASES),
        )
        for row in records
    ]
    return Grid(heads, tuple(rows), first=_ROWS)


def _collectives(table: Table) -> Grid:
    heads = (
        Head("Collective", "code"),
        Head("Size", "number"),
        Head("Transfer", "number"),
        Head("Mean wait", "number"),
        Head("Came last"),
        Head("Late by", "number"),
    )
    records = sorted(table.records(), key=lambda row: -_number(row["mean_wait_ns"]))
    return Grid(heads, tuple(_collective(row) for row in records), first=_ROWS)


def _collective(row: dict[str, Value]) -> tuple[Cell, ...]:
    where = f"number {row['number']}" + (f" of group {row['group']}" if row["group"] else "")
    uneven, late = row["imbalance"], row["late_rank"]
    told = isinstance(uneven, float) and uneven >= _UNEVEN
    longest, lead = _words.duration(row["longest_wait_ns"]), _words.duration(row["lead_ns"])
    return (
        Cell(_words.text(row["kind"]), detail=where),
        Cell(_words.size(row["bytes"]), detail=f"uneven: {uneven:.1f}x the mean" if told else ""),
        Cell(_words.duration(row["transfer_ns"]), detail=_bandwidth(row["bus_bandwidth"])),
        Cell(_words.duration(row["mean_wait_ns"]), detail=f"longest {longest}"),
        Cell("–" if late is None else f"rank {late}", detail=_MADE.get(str(row["phase"]), "")),
        Cell(_words.duration(row["late_by_ns"]), detail="" if late is None else f"alone {lead}"),
    )


def _clocks(table: Table) -> Grid:
    heads = (
        Head("Rank"),
        Head("Trace", "code"),
        Head("Step", "number"),
        Head("Waits", "number"),
        Head("Clock ahead by", "number"),
        Head("Give or take", "number"),
    )
    rows = [
        (
            Cell(_words.text(row["rank"])),
            Cell(_words.text(row["trace"])),
            Cell(_each(row["window_ns"], row["steps"])),
            Cell(_each(row["waiting_ns"], row["steps"])),
            Cell(_words.duration(row["clock_offset_ns"])),
            Cell(_words.duration(row["clock_uncertainty_ns"])),
        )
        for row in table.records()
    ]
    return Grid(heads, tuple(rows), first=_RANKS, folded="Ranks and their clocks")


def _steps(ranks: Table) -> int:
    return max(1, min(int(_number(row["steps"])) for row in ranks.records()))


def _each(value: Value, steps: Value) -> str:
    count = max(1, steps) if isinstance(steps, int) else 1
    return _words.duration(value / count if isinstance(value, (int, float)) else None)


def _difference(value: Value, steps: int) -> str:
    """A difference to the median rank; a dash where it is nothing to speak of."""
    each = _number(value) / steps
    if abs(each) < 1_000:
        return "–"
    return ("+" if each > 0 else "−") + _words.duration(abs(each))


def _bandwidth(value: Value) -> str:
    return f"bus {value / 1e9:.3g} GB/s" if isinstance(value, (int, float)) else ""


def _number(value: Value) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
