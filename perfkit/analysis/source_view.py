"""The functions around sync points, line by line, for a source view: what `sync_points` is drawn on.

A short function comes whole, a long one as the lines near its sync points. Bounded, since a program may
sync in hundreds of functions; those whose syncs come first in `points` are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from perfkit.analysis.source import functions_of, lines_of
from perfkit.analysis.sync_points import SyncPoint
from perfkit.model.table import Cell, Column, Table

COLUMNS = (Column("file"), Column("function"), Column("number"), Column("text"))
_LINES = 800
_FUNCTIONS = 60
_WHOLE = 60
_AROUND = 8
_CHARACTERS = 300


def source_view_table(points: Iterable[SyncPoint]) -> Table:
    """A row per line of source; `function` is "" at module level."""
    places: dict[tuple[str, str], set[int]] = defaultdict(set)
    for point in points:
        if point.site is not None:
            name = functions_of(point.site.file).get(point.site.line, "")
            places[point.site.file, name].add(point.site.line)
    rows: list[tuple[Cell, ...]] = []
    for (file, name), marked in list(places.items())[:_FUNCTIONS]:
        lines = lines_of(file)
        shown = [n for n in _shown(file, name, marked) if 1 <= n <= len(lines)]
        if len(rows) + len(shown) <= _LINES:
            rows += [(file, name, n, lines[n - 1].rstrip()[:_CHARACTERS]) for n in shown]
    return Table(COLUMNS, tuple(rows))


def _shown(file: str, name: str, marked: set[int]) -> list[int]:
    """The function's own lines, all of them or those near the marked ones."""
    near = {n + d for n in marked for d in range(-_AROUND, _AROUND + 1)}
    if not name:
        return sorted(near)
    own = [line for line, function in functions_of(file).items() if function == name]
    return sorted(own if len(own) <= _WHOLE else {*(near & set(own)), min(own)})
