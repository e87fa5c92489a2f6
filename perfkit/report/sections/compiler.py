"""What torch.compile did: every code object that it compiled, how often and why again."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Grid, Head

ORDER = 64
_ROWS = 15


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where nothing was compiled, or nobody looked."""
    table = diagnosis.tables.get("compiled_code")
    if table is None or not table.rows:
        return None
    records = table.records()
    names = short_names(str(row["file"]) for row in records)
    heads = (
        Head("Code", "code"),
        Head("Versions", "number"),
        Head("Compiled for", "number"),
        Head("In measured steps", "number"),
        Head("Graph breaks", "number"),
        Head("Last guard that failed", "code"),
    )
    grid = Grid(heads, tuple(_row(row, names) for row in records), first=_ROWS)
    lead = "Over the whole program. A version is compiled when no guard of those before it holds."
    return Block("compiler", "What the compiler did", (grid,), lead, "Compiler")


def _row(row: dict[str, Value], names: dict[str, str]) -> tuple[Cell, ...]:
    file = str(row["file"])
    late = f"{_words.duration(row['late_ns'])}" if row["late_versions"] else ""
    return (
        Cell(f"{names[file]}:{row['line']}", detail=str(row["function"] or ""), hint=file),
        Cell(_words.text(row["versions"])),
        Cell(_words.duration(row["compile_ns"])),
        Cell(_words.text(row["late_versions"]), detail=late),
        Cell(_words.text(row["breaks"])),
        Cell(_words.text(row["last_guard"])),
    )
