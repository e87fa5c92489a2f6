"""The source with its sync points: how often and how long each line waits, by file, function, construct."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.model.table import Table
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Code, CodeLine, Grid, Head, Switch, View

ORDER = 36
_ROWS = 40
_STACKS = 4

_Row = dict[str, Value]
_Place = tuple[str, int]


@dataclass(frozen=True)
class _Spent:
    """What some sync points cost per step; None where nobody could observe it."""

    count: float
    waited: float | None
    idle: float | None
    likely: float | None

    @property
    def heat(self) -> float:
        """What ranks: measured time, else the estimate, else the count."""
        measured = (self.waited or 0) + (self.idle or 0)
        return measured or self.likely or self.count

    def cells(self, columns: Sequence[str]) -> tuple[str, ...]:
        told = {
            "per step": _words.per_step(self.count),
            "waited": _words.duration(self.waited),
            "GPU idle": _words.duration(self.idle),
            "likely cost": _words.duration(self.likely),
        }
        return tuple(told[column] for column in columns)


@dataclass(frozen=True)
class _Sheet:
    """All sync points with a line, how their files are called, what is told of them, where they stand."""

    records: list[_Row]
    names: dict[str, str]
    columns: tuple[str, ...]
    anchors: dict[_Place, str]

    @property
    def by_line(self) -> dict[_Place, list[_Row]]:
        found: dict[_Place, list[_Row]] = defaultdict(list)
        for row in self.records:
            found[_place(row)].append(row)
        return found


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no sync point has a line whose source was readable."""
    points, source = diagnosis.tables.get("sync_points"), diagnosis.tables.get("source_view")
    if points is None or source is None or not source.rows:
        return None
    records = [row for row in points.records() if row["file"] is not None]
    names = short_names(str(row["file"]) for row in records)
    files = list(names)
    anchors = {
        _place(row): f"line-{files.index(str(row['file'])) + 1}-{row['line']}" for row in records
    }
    sheet = _Sheet(records, names, _columns(records), anchors)
    views = (
        View("By file", tuple(_files(source, sheet))),
        View("By function", (_grid(sheet, "Function", _of_function),)),
        View("By construct", (_grid(sheet, "Construct", _of_kind),)),
    )
    lead = (
        "Lines that synchronise, in their functions; what a line costs per step stands beside it, the "
        "warmer the more."
    )
    return Block("source", "Source, line by line", (Switch("Group by", views),), lead, "Source")


def _columns(records: list[_Row]) -> tuple[str, ...]:
    """What the gutter can tell: measured times where there are any, else the estimate."""
    told = ["per step"]
    if any(row["blocked_ns"] is not None for row in records):
        told.append("waited")
    if any(row["idle_ns"] is not None for row in records):
        told.append("GPU idle")
    return (*told, *(() if len(told) > 2 else ("likely cost",)))


def _files(source: Table, sheet: _Sheet) -> list[Code]:
    by_line = sheet.by_line
    hottest = max(_spent(rows).heat for rows in by_line.values())
    functions: dict[str, dict[str, list[_Row]]] = defaultdict(lambda: defaultdict(list))
    for row in source.records():
        functions[str(row["file"])][str(row["function"])].append(row)
    totals = {file: _spent([r for r in sheet.records if r["file"] == file]) for file in functions}
    found = []
    for file in sorted(functions, key=lambda name: -totals[name].heat):
        stretches = []
        for name, lines in functions[file].items():
            made = tuple(_line(row, by_line, hottest, sheet) for row in lines)
            stretches += [(name, stretch) for stretch in _unbroken(made)]
        stretches.sort(key=lambda pair: pair[1][0].number)
        told = zip(sheet.columns, totals[file].cells(sheet.columns), strict=True)
        detail = ", ".join(f"{value} {column}" for column, value in told if value != "–")
        title = sheet.names.get(file, file)
        found.append(Code(title, file, detail, sheet.columns, tuple(stretches)))
    return found


def _line(row: _Row, by_line: dict[_Place, list[_Row]], hottest: float, sheet: _Sheet) -> CodeLine:
    number, text = int(row["number"] or 0), str(row["text"])
    place = str(row["file"]), number
    points = by_line.get(place)
    if not points:
        return CodeLine(number, text)
    spent = _spent(points)
    stacks = dict.fromkeys(str(point["stack"]) for point in points if point["stack"])
    return CodeLine(
        number,
        text,
        cells=spent.cells(sheet.columns),
        heat=min(1.0, spent.heat / hottest) if hottest else 0.0,
        anchor=sheet.anchors[place],
        notes=tuple(stacks)[:_STACKS],
    )


def _unbroken(lines: tuple[CodeLine, ...]) -> list[tuple[CodeLine, ...]]:
    """Runs of lines that follow each other."""
    runs: list[list[CodeLine]] = []
    for line in lines:
        if not runs or line.number != runs[-1][-1].number + 1:
            runs.append([])
        runs[-1].append(line)
    return [tuple(run) for run in runs]


def _grid(sheet: _Sheet, title: str, group_of: Callable[[_Row], str]) -> Grid:
    """One row per function or construct, what costs most first, its hottest line behind it."""
    groups: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in sheet.records:
        file = sheet.names[str(row["file"])] if title == "Function" else ""
        groups[file, group_of(row)].append(row)
    spent = {key: _spent(rows) for key, rows in groups.items()}
    order = sorted(groups, key=lambda key: -spent[key].heat)
    most = spent[order[0]].heat
    rows = []
    for key in order:
        lines = dict.fromkeys(_place(row) for row in groups[key])
        hot = max(groups[key], key=lambda row: _spent([row]).heat)
        share = spent[key].heat / most if most else 0.0
        cells = [Cell(text) for text in spent[key].cells(sheet.columns)]
        cells[-1] = Cell(cells[-1].text, bar=share)
        where = f"{sheet.names[str(hot['file'])]}:{hot['line']}"
        rows.append(
            (
                Cell(key[1], detail=key[0]),
                Cell(where, sheet.anchors[_place(hot)], str(hot["code"] or ""), str(hot["file"])),
                Cell(units.count(len(lines))),
                *cells,
            )
        )
    heads = [Head(title, "code"), Head("Hottest line", "code"), Head("Lines", "number")]
    heads += [Head(column.capitalize(), "number") for column in sheet.columns]
    return Grid(tuple(heads), tuple(rows), first=_ROWS)


def _of_function(row: _Row) -> str:
    return str(row["function"] or "module level")


def _of_kind(row: _Row) -> str:
    return str(row["kind"])


def _spent(rows: Sequence[_Row]) -> _Spent:
    return _Spent(
        count=_sum(rows, "per_step") or 0.0,
        waited=_sum(rows, "blocked_ns"),
        idle=_sum(rows, "idle_ns"),
        likely=_sum(rows, "wasted_likely_ns"),
    )


def _sum(rows: Sequence[_Row], column: str) -> float | None:
    """None where no row knows it: an unknown time is not zero."""
    known = [float(v) for row in rows if isinstance(v := row.get(column), (int, float))]
    return sum(known) if known else None


def _place(row: _Row) -> _Place:
    return str(row["file"]), int(row["line"] or 0)
