"""What a run saw at a line: sizes that depend on values, as far as its counted step tells them.

They are told and never filled in: a size that was the same in every call may be another in the next batch,
and a device does not always notice.

Nothing beyond `OpCost` is needed: operands of the operators that follow are as large as results were, and
the bytes written by a call that was made once give its result's size.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from perfkit.model.costs import OpCost

Rows = Sequence[OpCost]
_OPERAND = re.compile(r"(?P<dtype>[a-z]+\d*)\[(?P<dims>[\d,]*)\]")
_INDEX_BYTES = 8


@dataclass(frozen=True)
class Sizes:
    """Sizes seen in `calls` calls. `unsure` where not every call's is known."""

    values: frozenset[int]
    calls: int
    unsure: bool = False

    def told(self) -> str:
        """`12 in 3 calls of one step`, `15 to 148 in ...`."""
        calls = f"{self.calls} call{'' if self.calls == 1 else 's'} of one step"
        if self.unsure or not self.values:
            return f"{calls} of which only the sum was recorded"
        low, high = min(self.values), max(self.values)
        return f"{low if low == high else f'{low} to {high}'} in {calls}"


def by_line(costs: Iterable[OpCost], file: str, least: int = 1) -> dict[int, list[OpCost]]:
    """Forward rows of one file by line; operators called less often than `least` there are left out."""
    found: dict[int, list[OpCost]] = {}
    calls: Counter[tuple[int, str]] = Counter()
    for row in costs:
        if row.place is not None and row.place.file == file and row.phase != "backward":
            found.setdefault(row.place.line, []).append(row)
            calls[row.place.line, row.op] += row.calls
    return {
        line: [row for row in rows if calls[line, row.op] >= least] for line, rows in found.items()
    }


def at(rows: Mapping[int, Rows], spans: Iterable[tuple[int, int]]) -> list[OpCost]:
    """The rows of all lines of these spans."""
    return [
        row
        for line, found in sorted(rows.items())
        if any(first <= line <= last for first, last in spans)
        for row in found
    ]


def operands(row: OpCost) -> list[tuple[str, tuple[int, ...]]]:
    """Dtype and shape of each tensor among the operands."""
    return [
        (one["dtype"], tuple(int(n) for n in one["dims"].split(",") if n))
        for one in _OPERAND.finditer(row.signature)
    ]


def classes(rows: Rows) -> Sizes | None:
    """Classes of `one_hot` without a number: the width of what it scatters ones into."""
    found: dict[int, int] = {}
    for row in rows:
        shapes = operands(row) if row.op == "aten::scatter_" else []
        if len(shapes) >= 2 and shapes[1][1] == (*shapes[0][1][:-1], 1):
            width = shapes[0][1][-1]
            found[width] = found.get(width, 0) + row.calls
    return Sizes(frozenset(found), sum(found.values())) if found else None


def repeated(rows: Rows) -> Sizes | None:
    """Totals of `repeat_interleave` with repeats on the device."""
    mine = [row for row in rows if row.op == "aten::repeat_interleave"]
    return _written(mine, _INDEX_BYTES) if mine else None


def positions(rows: Rows) -> Sizes | None:
    """Numbers of positions that `nonzero` gave."""
    mine = [row for row in rows if row.op == "aten::nonzero"]
    widths = {len(shapes[0][1]) for row in mine if (shapes := operands(row))}
    if not mine or len(widths) != 1 or 0 in widths:
        return None
    return _written(mine, _INDEX_BYTES * widths.pop())


def compared(rows: Rows) -> set[tuple[int, ...]]:
    """Shapes of whole numbers that were compared with a number."""
    return {
        shape
        for row in rows
        if row.op == "aten::eq"
        for dtype, shape in operands(row)[:1]
        if dtype.startswith("i")
    }


def _written(rows: Rows, each: int) -> Sizes:
    calls = sum(row.calls for row in rows)
    if any(row.calls > 1 or row.written is None for row in rows):
        return Sizes(frozenset(), calls, unsure=True)
    return Sizes(frozenset((row.written or 0) // each for row in rows), calls)
