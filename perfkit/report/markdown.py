"""The same blocks as Markdown, for issues and pull requests. Nothing a program said becomes markup."""

from __future__ import annotations

import re

from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _sections
from perfkit.report._text import visible
from perfkit.report.blocks import Block, Card, Cell, Facts, Figure, Grid, Head, Hero, Part, Text

# An underscore inside a word is no markup; parentheses are none once brackets are escaped.
_SPECIAL = re.compile(r"([\\`*\[\]#!|~@$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_URL = re.compile(r"(?i)(https?|ftp|www)([:.])")


def render(diagnosis: Diagnosis) -> str:
    """The whole report as GitHub-flavoured Markdown."""
    parts = [f"# perfkit: {_plain(diagnosis.run)}"]
    for block in _sections.blocks(diagnosis):
        parts += _block(block)
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block) -> list[str]:
    head = [f"## {_plain(block.title)}"]
    if block.lead:
        head.append(_plain(block.lead))
    return head + [_part(part) for part in block.parts]


def _part(part: Part) -> str:
    if isinstance(part, Text):
        return _plain(part.text)
    if isinstance(part, Hero):
        return _hero(part)
    if isinstance(part, Grid):
        return _grid(part)
    if isinstance(part, Card):
        return _card(part)
    if isinstance(part, Facts):
        return "\n".join(f"- {_plain(name)}: {_code(value)}" for name, value in part.pairs)
    assert isinstance(part, Figure)
    return ""  # its numbers stand in the table below it


def _hero(hero: Hero) -> str:
    lines = [
        f"**{_plain(hero.what)}**",
        f"Why: {_plain(hero.why)}",
        f"Next: {_plain(hero.next)}",
    ]
    return "\n\n".join(lines)


def _grid(grid: Grid) -> str:
    rows = [
        "| " + " | ".join(_plain(head.title) for head in grid.heads) + " |",
        "| " + " | ".join("---:" if h.kind == "number" else "---" for h in grid.heads) + " |",
    ]
    for row in grid.rows:
        cells = (_cell(cell, head) for cell, head in zip(row, grid.heads, strict=True))
        rows.append("| " + " | ".join(cells) + " |")
    text = "\n".join(rows)
    if grid.folded:
        text = f"{_plain(grid.folded)}:\n\n{text}"
    return f"{text}\n\n{grid.more} more {grid.more_in}." if grid.more else text


def _cell(cell: Cell, head: Head) -> str:
    text = _code(cell.text, in_table=True) if head.kind == "code" else _plain(cell.text)
    if not cell.detail:
        return text
    detail = _code(cell.detail, in_table=True) if head.kind == "code" else _plain(cell.detail)
    return f"{text} {detail}" if head.kind == "code" else f"{text} ({detail})"


def _card(card: Card) -> str:
    parts = [
        f"### {card.rank}. {_code(card.place)}",
        _plain(f"{card.title}{card.cost and ': '}{card.cost}."),
    ]
    if card.snippet:
        width = len(str(card.snippet[-1].number))
        lines = (
            f"{'>' if line.marked else ' '} {line.number:>{width}}  {visible(line.text)}".rstrip()
            for line in card.snippet
        )
        parts.append(_fence("\n".join(lines)))
    elif card.code:
        parts.append(_fence(visible(card.code)))
    if card.fix:
        parts.append(f"**Instead:** {_plain(card.fix)}")
    facts = [f"- {_plain(name)}: {_plain(value)}" for name, value in card.facts]
    chips = ", ".join(_code(chip) for chip in card.chips)
    parts.append("\n".join([*facts, f"- {chips}"] if chips else facts))
    return "\n\n".join(part for part in parts if part)


def _plain(text: str) -> str:
    """Text with everything Markdown or HTML would read as markup taken literally."""
    shown = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = _SPECIAL.sub(r"\\\1", shown)
    return _URL.sub(r"\1&#8203;\2", shown)


def _code(text: str, in_table: bool = False) -> str:
    shown = visible(text)
    if in_table:
        shown = shown.replace("|", "\\|")
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _fence(text: str) -> str:
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}python\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
