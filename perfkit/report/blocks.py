"""What a page is made of, as plain data: sections make blocks, `html` and `markdown` write them.

A block holds text as it was found; escaping is the writer's work and happens in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
class Hero:
    """The verdict."""

    kind: ClassVar[str] = "hero"
    what: str
    why: str
    next: str
    tiles: tuple[Tile, ...] = ()


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


@dataclass(frozen=True)
class Grid:
    """A table; `more` rows were left out."""

    kind: ClassVar[str] = "grid"
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    more: int = 0
    folded: str = ""
    """Where given, the grid starts folded under this title."""
    more_in: str = "in diagnosis.json"


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


@dataclass(frozen=True)
class Facts:
    """Name and value pairs."""

    kind: ClassVar[str] = "facts"
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Figure:
    """A plotly figure as JSON data; `summary` says the same in words."""

    kind: ClassVar[str] = "figure"
    anchor: str
    spec: Mapping[str, Any]
    summary: str


Part = Text | Hero | Grid | Card | Facts | Figure


@dataclass(frozen=True)
class Block:
    """A section: `anchor` is its id on the page, `lead` one sentence under its title."""

    anchor: str
    title: str
    parts: tuple[Part, ...]
    lead: str = ""
    short: str = ""
    """The title in the page's navigation, where the whole one is too long."""


def capped(
    rows: Sequence[tuple[Cell, ...]], limit: int
) -> tuple[tuple[tuple[Cell, ...], ...], int]:
    """The first `limit` rows and how many more there are."""
    return tuple(rows[:limit]), max(0, len(rows) - limit)
