"""Which line of one run is which line of another: sync points joined although lines have shifted.

A sync point is found again by operator, direction, phase, file and function together with the text of
its line; where several are alike, the nearest are paired. What is left is joined by a similar text
near by, and at last by function and text in whatever file it went to. The rest came or went.
"""

from __future__ import annotations

import difflib
import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.syncs import is_copy_kind
from perfkit.model.table import Cell

_NEAR = 40
"""Lines that a line may have moved to be taken for the same when its text changed."""
_ALIKE = 0.6
_MOST_PAIRS = 20_000
"""Beyond it alike lines are paired in their order: no program that a person wrote has so many."""


@dataclass(frozen=True)
class Line:
    """One sync point: the place, the operator and what it costs per step; None unknown."""

    file: str | None
    line: int
    function: str
    code: str
    op: str
    kind: str
    direction: str
    phase: str
    per_step: float
    nbytes: float | None = None
    blocked_ns: float | None = None

    @property
    def is_copy(self) -> bool:
        return is_copy_kind(self.kind, self.direction)

    @property
    def base(self) -> str:
        """The file's own name; empty without one."""
        return (self.file or "").replace("\\", "/").rsplit("/", 1)[-1]


@dataclass(frozen=True)
class LineChange:
    """A line before and after; None where it is not there. `change` is the count per step."""

    before: Line | None
    after: Line | None

    @property
    def change(self) -> float:
        return self._per_step(self.after) - self._per_step(self.before)

    @property
    def shown(self) -> Line:
        """The line as it stands now, or stood."""
        line = self.after or self.before
        assert line is not None
        return line

    @staticmethod
    def _per_step(line: Line | None) -> float:
        return line.per_step if line else 0.0


def line_changes(before: Diagnosis, after: Diagnosis) -> tuple[LineChange, ...]:
    """Every sync point of both, what changed most first."""
    paired = _Pairing(lines(before), lines(after)).pairs()
    return tuple(sorted(paired, key=lambda each: (-abs(each.change), -each.shown.per_step)))


def lines(diagnosis: Diagnosis) -> list[Line]:
    """The sync points of steady steps."""
    table = diagnosis.tables.get("sync_points")
    return [_line(row) for row in table.records()] if table else []


def _line(row: dict[str, Cell]) -> Line:
    def text(name: str) -> str:
        return str(row.get(name) or "")

    def number(name: str) -> float | None:
        value = row.get(name)
        return float(value) if isinstance(value, (int, float)) else None

    return Line(
        file=text("file") or None,
        line=int(number("line") or 0),
        function=text("function"),
        code=" ".join(text("code").split()),
        op=text("op"),
        kind=text("kind"),
        direction=text("direction"),
        phase=text("phase"),
        per_step=number("per_step") or 0.0,
        nbytes=number("nbytes"),
        blocked_ns=number("blocked_ns"),
    )


@dataclass
class _Pairing:
    """What is not joined yet on each side, and what is."""

    before: list[Line]
    after: list[Line]
    joined: list[LineChange] = field(default_factory=list)

    def pairs(self) -> list[LineChange]:
        def place(one: Line) -> tuple[Hashable, ...]:
            return one.op, one.direction, one.phase, one.base, one.function

        def anywhere(one: Line) -> tuple[Hashable, ...]:
            return one.op, one.direction, one.phase, one.function, one.code

        self._join(lambda one: (*place(one), one.code), _same)
        self._join(place, _similar)
        self._join(lambda one: anywhere(one) if one.code else (id(one),), _same)
        gone = [LineChange(one, None) for one in self.before]
        return [*self.joined, *gone, *(LineChange(None, one) for one in self.after)]

    def _join(
        self,
        key: Callable[[Line], Hashable],
        cost: Callable[[Line, Line], tuple[float, ...] | None],
    ) -> None:
        """Join within groups of one key, the cheapest pair first; a cost of None forbids."""
        groups: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for side, found in enumerate((self.before, self.after)):
            for index, one in enumerate(found):
                groups[key(one)][side].append(index)
        taken: tuple[set[int], set[int]] = (set(), set())
        for first, second in groups.values():
            for i, j in self._cheapest(first, second, cost):
                if i not in taken[0] and j not in taken[1]:
                    taken[0].add(i)
                    taken[1].add(j)
                    self.joined.append(LineChange(self.before[i], self.after[j]))
        self.before = _without(self.before, taken[0])
        self.after = _without(self.after, taken[1])

    def _cheapest(
        self,
        first: Sequence[int],
        second: Sequence[int],
        cost: Callable[[Line, Line], tuple[float, ...] | None],
    ) -> list[tuple[int, int]]:
        many = len(first) * len(second) > _MOST_PAIRS
        pairs = zip(first, second, strict=False) if many else itertools.product(first, second)
        costs = {(i, j): cost(self.before[i], self.after[j]) for i, j in pairs}
        allowed = {pair: value for pair, value in costs.items() if value is not None}
        return sorted(allowed, key=lambda pair: (allowed[pair], pair))


def _same(before: Line, after: Line) -> tuple[float, ...] | None:
    """Nearest first; where no text is known, only near by."""
    distance = abs(before.line - after.line)
    if not before.code and before.file is not None and distance > _NEAR:
        return None
    return float(before.file != after.file), float(distance)


def _similar(before: Line, after: Line) -> tuple[float, ...] | None:
    """The text that changed least first; an unknown text fits every line near by."""
    distance = abs(before.line - after.line)
    if distance > _NEAR:
        return None
    alike = 1.0
    if before.code and after.code:
        alike = difflib.SequenceMatcher(None, before.code, after.code, autojunk=False).ratio()
    return None if alike < _ALIKE else (1 - alike, float(distance))


def _without(lines: Iterable[Line], taken: set[int]) -> list[Line]:
    return [one for index, one in enumerate(lines) if index not in taken]
