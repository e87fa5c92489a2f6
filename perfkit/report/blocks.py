"""What a page is made of, as plain data: sections make blocks, `html` and `markdown` write them.

A block holds text as it was found; escaping is the writer's work and happens in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

CellKind = Literal["text", "code", "number"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Tile:
    """One number of the first screen with what it is and how it was found."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Command:
    """A command to be copied, and what it does."""

    label: str
    text: str


@dataclass(frozen=True)
class Leaf:
    """A longer text that starts folded: `lines` as they stand."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Help:
    """How to act on a finding.

    Attributes:
        diff: its lines; `diff_title` says whose it is and where it applies.
        notes: what to check, what to write by hand, and why there is no diff.
        commands: in their order; `folder` is where they are given.
        leaves: when it wins and when not, and the pages.
    """

    diff: tuple[str, ...] = ()
    diff_title: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    commands: tuple[Command, ...] = ()
    folder: str = ""
    leaves: tuple[Leaf, ...] = ()


@dataclass(frozen=True)
class Hero:
    """The verdict."""

    kind: ClassVar[str] = "hero"
    what: str
    why: str
    next: str
    tiles: tuple[Tile, ...] = ()
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One cell of a grid.

    `anchor` links to a block of the page, `detail` is a second, quieter line, `hint` the full text
    behind a shortened one, `bar` a share of 1 drawn beneath the text.
    """

    text: str
    anchor: str = ""
    detail: str = ""
    hint: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Head:
    """A column of a grid: its title and what its cells are."""

    title: str
    kind: CellKind = "text"


SHOWN = 200
"""Rows of a grid that stand in the page's markup at most; the rest are data, drawn on demand."""


@dataclass(frozen=True)
class Grid:
    """A table; `more` rows were left out of it, and of its rows `first` are shown until asked."""

    kind: ClassVar[str] = "grid"
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    more: int = 0
    folded: str = ""
    """Where given, the grid starts folded under this title."""
    more_in: str = "in diagnosis.json"
    first: int = SHOWN
    fixed: bool = False
    """Where the order of the rows says something, as in a tree, they cannot be sorted."""

    @property
    def shown(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows that everyone sees, with or without JavaScript."""
        return self.rows[: min(self.first, SHOWN)]

    @property
    def hidden(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows that wait to be asked for."""
        return self.rows[len(self.shown) :]


@dataclass(frozen=True)
class SnippetLine:
    number: int
    text: str
    marked: bool


@dataclass(frozen=True)
class Card:
    """One finding: where, what, how much, what instead."""

    kind: ClassVar[str] = "card"
    anchor: str
    rank: int
    title: str
    place: str
    path: str
    cost: str
    chips: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    snippet: tuple[SnippetLine, ...]
    code: str
    fix: str
    help: Help | None = None


@dataclass(frozen=True)
class Facts:
    """Name and value pairs; values are sentences where `prose`, else what a machine said."""

    kind: ClassVar[str] = "facts"
    pairs: tuple[tuple[str, str], ...]
    prose: bool = False


@dataclass(frozen=True)
class Range:
    """A stretch of a figure's horizontal axis that a button zooms to."""

    title: str
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """A plotly figure as JSON data; `summary` says the same in words."""

    kind: ClassVar[str] = "figure"
    anchor: str
    spec: Mapping[str, Any]
    summary: str
    ranges: tuple[Range, ...] = ()


@dataclass(frozen=True)
class Check:
    """What one rule concluded: `links` are (anchor, text) of its findings."""

    rule: str
    state: str
    reason: str
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcomes:
    """All rules by what they concluded; `counts` are (state, state in words, how many)."""

    kind: ClassVar[str] = "outcomes"
    counts: tuple[tuple[str, str, int], ...]
    checks: tuple[Check, ...]

    def of(self, state: str) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.state == state)


@dataclass(frozen=True)
class CodeLine:
    """A line of source. `cells` stand in the gutter, `heat` is a share of 1, `notes` fold away under it."""

    number: int
    text: str
    cells: tuple[str, ...] = ()
    heat: float | None = None
    anchor: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Code:
    """Source of one file, stretch by stretch: (function, its lines). `heads` are the gutter's titles."""

    kind: ClassVar[str] = "code"
    title: str
    path: str
    detail: str
    heads: tuple[str, ...]
    stretches: tuple[tuple[str, tuple[CodeLine, ...]], ...]


@dataclass(frozen=True)
class View:
    """One way to look at something."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Switch:
    """The same in several views, of which one shows at a time."""

    kind: ClassVar[str] = "switch"
    label: str
    views: tuple[View, ...]


Part = Text | Hero | Grid | Card | Facts | Figure | Outcomes | Code | Switch


@dataclass(frozen=True)
class Block:
    """A section: `anchor` is its id on the page, `lead` one sentence under its title."""

    anchor: str
    title: str
    parts: tuple[Part, ...]
    lead: str = ""
    short: str = ""
    """The title in the page's navigation, where the whole one is too long."""


def each_part(parts: Iterable[Part]) -> Iterator[Part]:
    """Every part, those inside of views too."""
    for part in parts:
        yield part
        if isinstance(part, Switch):
            for view in part.views:
                yield from each_part(view.parts)


def capped(
    rows: Sequence[tuple[Cell, ...]], limit: int
) -> tuple[tuple[tuple[Cell, ...], ...], int]:
    """The first `limit` rows and how many more there are."""
    return tuple(rows[:limit]), max(0, len(rows) - limit)
