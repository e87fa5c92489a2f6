"""The same blocks as Markdown, for issues and pull requests. Nothing a program said becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterable

from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _sections
from perfkit.report._text import visible
from perfkit.report.blocks import (
    Block,
    Card,
    Cell,
    Code,
    Facts,
    Figure,
    Grid,
    Head,
    Hero,
    Outcomes,
    Part,
    Switch,
    Text,
)

# An underscore inside a word is no markup; parentheses are none once brackets are escaped.
_SPECIAL = re.compile(r"([\\`*\[\]#!|~@$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_URL = re.compile(r"(?i)(https?|ftp|www)([:.])")


def render(diagnosis: Diagnosis) -> str:
    """The whole report as GitHub-flavoured Markdown."""
    return page(_sections.blocks(diagnosis), diagnosis.run)


def page(blocks: Iterable[Block], title: str) -> str:
    """Blocks as one Markdown text."""
    parts = [f"# perfkit: {_plain(title)}"]
    for block in blocks:
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
    if isinstance(part, Outcomes):
        return _outcomes(part)
    if isinstance(part, Code):
        return _source(part)
    if isinstance(part, Switch):
        return "\n\n".join(_part(each) for each in part.views[0].parts)
    assert isinstance(part, Figure)
    return ""  # its numbers stand in the table below it


def _outcomes(part: Outcomes) -> str:
    """Rules with their reasons; of those that found nothing to say, the names."""
    rows = []
    for state, words, count in part.counts:
        if state in ("clear", "not-applicable"):
            names = ", ".join(_code(check.rule) for check in part.of(state))
            rows += [f"- {count} {_plain(words)}: {names}"] if count else []
            continue
        rows += [
            f"- {_plain(words)}: {_code(check.rule)} {_plain(check.reason)}"
            for check in part.of(state)
        ]
    return "\n".join(rows)


def _source(part: Code) -> str:
    """The lines that cost something; their neighbours are on the page."""
    rows = []
    for _, lines in part.stretches:
        for line in (each for each in lines if each.heat is not None):
            told = zip(part.heads, line.cells, strict=True)
            cost = ", ".join(f"{value} {head}" for head, value in told if value != "–")
            rows.append(f"- line {line.number}: {_code(line.text.strip())} ({_plain(cost)})")
    return "\n".join([f"{_code(part.title)}:", "", *rows])


def _hero(hero: Hero) -> str:
    lines = [
        f"**{_plain(hero.what)}**",
        f"Why: {_plain(hero.why)}",
        f"Next: {_plain(hero.next)}",
        *(f"{_plain(one.label)}: {_code(one.text)}" for one in hero.commands),
    ]
    return "\n\n".join(lines)


def _grid(grid: Grid) -> str:
    rows = [
        "| " + " | ".join(_plain(head.title) for head in grid.heads) + " |",
        "| " + " | ".join("---:" if h.kind == "number" else "---" for h in grid.heads) + " |",
    ]
    for row in grid.shown:
        cells = (_cell(cell, head) for cell, head in zip(row, grid.heads, strict=True))
        rows.append("| " + " | ".join(cells) + " |")
    text = "\n".join(rows)
    if grid.folded:
        text = f"{_plain(grid.folded)}:\n\n{text}"
    more = grid.more + len(grid.hidden)
    return f"{text}\n\n{more} more {grid.more_in}." if more else text


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
    if card.help and card.help.diff:
        parts.append("\n".join(f"- {_plain(c.label)}: {_code(c.text)}" for c in card.help.commands))
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
