"""A diagnosis as CSV files: one per table, and one with the findings.

As RFC 4180 has it: CRLF, quotes doubled, UTF-8. Units stand in the header: `blocked_ns [ns]`. An
empty cell is unknown. A text that a spreadsheet would take for a formula gets an apostrophe before it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from perfkit.base.errors import PerfkitError
from perfkit.base.files import replacing
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell, Column, Table

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_FINDINGS = (
    Column("rule"),
    Column("state"),
    Column("title"),
    Column("file"),
    Column("line"),
    Column("function"),
    Column("saving_low", "ns"),
    Column("saving_likely", "ns"),
    Column("saving_high", "ns"),
    Column("per"),
    Column("method"),
    Column("confidence"),
    Column("fix"),
    Column("reason"),
)


def csv_tables(diagnosis: Diagnosis, folder: Path) -> tuple[Path, ...]:
    """Write `findings.csv` and `<table>.csv` for every table; returns the files.

    Raises:
        PerfkitError: the folder is a file, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise PerfkitError(f"{folder} is a file", "name a folder for the CSV files")
    tables = {"findings": findings_table(diagnosis), **diagnosis.tables}
    written: dict[Path, Table] = {}
    for name, table in tables.items():
        path = _free(folder, name, written)
        _write(table, path)
        written[path] = table
    return tuple(written)


def findings_table(diagnosis: Diagnosis) -> Table:
    """One row per finding, and one per rule that found nothing, with its reason."""
    rows: list[tuple[Cell, ...]] = []
    for outcome in diagnosis.outcomes:
        head = (outcome.rule, outcome.state)
        for found in outcome.findings:
            place, saving = found.place, found.saving
            rows.append(
                (
                    *head,
                    found.title,
                    *((place.file, place.line, place.function) if place else (None, None, None)),
                    *((saving.low_ns, saving.likely_ns, saving.high_ns) if saving else (None,) * 3),
                    *((saving.per, saving.method) if saving else (None, None)),
                    found.confidence,
                    found.fix,
                    outcome.reason,
                )
            )
        if not outcome.findings:
            rows.append((*head, *(None,) * (len(_FINDINGS) - 3), outcome.reason))
    return Table(_FINDINGS, tuple(rows))


def _free(folder: Path, name: str, taken: Iterable[Path]) -> Path:
    """A file name made of a table's name, which may come from a stranger's file."""
    stem = re.sub(r"[^\w+-]+", "_", name)[:80].strip("_") or "table"
    path, number = folder / f"{stem}.csv", 2
    while path in taken:
        path, number = folder / f"{stem}-{number}.csv", number + 1
    return path


def _write(table: Table, path: Path) -> None:
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace", newline="") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow([_text(c.name + (f" [{c.unit}]" if c.unit else "")) for c in table.columns])
        writer.writerows(_cells(row) for row in table.rows)


def _cells(row: Sequence[Cell]) -> list[str | int | float]:
    return [_cell(value) for value in row]


def _cell(value: Cell) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    text = text.replace("\0", "")
    guarded = text.lstrip(" ").startswith(_FORMULA) and not _NUMBER.fullmatch(text)
    return f"'{text}" if guarded else text
