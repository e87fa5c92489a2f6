"""The roofline: what each operator reached of what the device can do, and what is not known."""

from __future__ import annotations

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Grid, Head, Part
from perfkit.report.sections._roofline_figures import (
    Row,
    line_of,
    number,
    rate,
    reached,
    roofline_figure,
    shares_figure,
)
from perfkit.report.sections.floor import percent

ORDER = 55
_ROWS = 15
_GROUPS = 12
_FILLED = (
    "share of the device's units with something to do, by the size of the output; a range, for the "
    "tiles that the library cuts it into are not known"
)


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when no step was costed."""
    table, roofs = diagnosis.tables.get("roofline"), diagnosis.tables.get("roofs")
    if table is None or roofs is None or not table.rows:
        return None
    rows = table.records()
    names = short_names(str(row["file"]) for row in rows if row["file"] is not None)
    figure = roofline_figure(rows, roofs.records(), names)
    parts: list[Part] = [] if figure is None else [figure]
    parts += [
        shares_figure(rows),
        _operators(rows, names),
        *_groups(diagnosis),
        *_unknown(diagnosis),
    ]
    lead = _lead(rows, roofs.records()) + _whole(diagnosis)
    return Block("roofline", "Roofline", tuple(parts), lead, "Roofline")


def _lead(rows: list[Row], roofs: list[Row]) -> str:
    device = str(roofs[0]["device"]) if roofs else "a device without known peaks"
    how = f"peaks {roofs[0]['origin']}" if roofs else ""
    start = f"Against {device} ({how}). " if how else f"Against {device}. "
    if all(row["measured_ns"] is None for row in rows):
        return start + (
            "Nothing was measured there: points lie on the roofs, where they could be at best."
        )
    return start + (
        "A point is an operator with its shapes and line: how far up it stands is what it reached, "
        "its size is its time. Above a roof, its operands were still in a cache."
    )


def _whole(diagnosis: Diagnosis) -> str:
    """The step's own amounts, in a sentence."""
    table = diagnosis.tables.get("roofline_groups")
    step = next((row for row in table.records() if row["by"] == "step"), None) if table else None
    if step is None or step["flops"] is None:
        return ""
    amounts = f"{flops(step['flops'])} and {_words.size(step['nbytes'])}"
    intensity = f", {_intensity(step)} FLOP per byte" if step["intensity"] is not None else ""
    return f" The whole step is {amounts}{intensity}, as far as costs are known."


def _operators(rows: list[Row], names: dict[str, str]) -> Grid:
    heads = (
        Head("Operator", "code"),
        Head("Where", "code"),
        Head("Calls", "number"),
        Head("FLOP per byte", "number"),
        Head("Reached", "number"),
        Head("Time", "number"),
        Head("Floor", "number"),
        Head("Of its floor", "number"),
    )
    return Grid(heads, tuple(_operator(row, names) for row in rows), first=_ROWS)


def _operator(row: Row, names: dict[str, str]) -> tuple[Cell, ...]:
    known, measured = row["floor_ns"] is not None, row["measured_ns"]
    got = "–"
    if known and measured and row["flops"]:
        got = rate(reached(row))
    share = number(row["floor_ns"]) / number(measured) if known and measured else None
    return (
        Cell(str(row["op"]), detail=str(row["signature"] or "")),
        Cell(line_of(row, names) or "–", detail=str(row["module"] or "")),
        Cell(_words.per_step(row["calls"])),
        Cell(_intensity(row)),
        Cell(got, detail=_filled(row), hint=_FILLED if _filled(row) else ""),
        Cell(_words.duration(measured)),
        Cell(_words.duration(row["floor_ns"])),
        Cell(
            percent(share),
            detail=f"{row['bound']}-bound" if row["bound"] else "cost unknown",
            hint=str(row["unknown"] or ""),
            bar=None if share is None else min(1.0, share),
        ),
    )


def _groups(diagnosis: Diagnosis) -> list[Part]:
    table = diagnosis.tables.get("roofline_groups")
    records = table.records() if table else []
    titles = {
        "phase": "By phase",
        "region": "By region",
        "module": "By module",
        "op": "By operator",
    }
    parts: list[Part] = []
    for what, title in titles.items():
        mine = [row for row in records if row["by"] == what]
        if len(mine) > 1:
            parts.append(_group_grid(mine, title))
    return parts


def _group_grid(records: list[Row], title: str) -> Grid:
    heads = (
        Head(title.removeprefix("By ").capitalize(), "code"),
        Head("Calls", "number"),
        Head("FLOPs", "number"),
        Head("Bytes", "number"),
        Head("FLOP per byte", "number"),
        Head("Time", "number"),
        Head("Floor", "number"),
        Head("Of its floor", "number"),
        Head("Costed calls", "number"),
    )
    cells = [
        (
            Cell(str(row["name"])),
            Cell(_words.per_step(row["calls"])),
            Cell(flops(row["flops"])),
            Cell(_words.size(row["nbytes"])),
            Cell(_intensity(row)),
            Cell(_words.duration(row["measured_ns"])),
            Cell(_words.duration(row["floor_ns"])),
            Cell(percent(row["share"])),
            Cell(units.share(number(row["known"]))),
        )
        for row in records
    ]
    return Grid(heads, tuple(cells), first=_GROUPS, folded=f"{title}, the largest floors first")


def _unknown(diagnosis: Diagnosis) -> list[Part]:
    table = diagnosis.tables.get("unknown_costs")
    if table is None or not table.rows:
        return []
    heads = (Head("Not in any total", "code"), Head("Why"), Head("Calls", "number"),
             Head("Time", "number"))  # fmt: skip
    cells = [
        (
            Cell(str(row["op"])),
            Cell(str(row["reason"] or "–")),
            Cell(_words.per_step(row["calls"])),
            Cell(_words.duration(row["measured_ns"])),
        )
        for row in table.records()
    ]
    return [Grid(heads, tuple(cells), first=_GROUPS)]


def flops(value: Value) -> str:
    """FLOPs for people: `1.2 GFLOP`; a dash where unknown."""
    if not isinstance(value, (int, float)):
        return "–"
    return rate(float(value)).removesuffix("/s") if value else "0"


def _filled(row: Row) -> str:
    """`fills 46% to 91%`; nothing where unknown, as in diagnoses from before it was asked, and
    nothing of what waits for memory, whoever works."""
    low, high = row.get("filled_low"), row.get("filled_high")
    if (
        row["bound"] != "compute"
        or not isinstance(low, (int, float))
        or not isinstance(high, (int, float))
    ):
        return ""
    shares = dict.fromkeys((units.share(low), units.share(high)))
    return f"fills {' to '.join(shares)}"


def _intensity(row: Row) -> str:
    return f"{row['intensity']:.3g}" if isinstance(row["intensity"], (int, float)) else "–"
