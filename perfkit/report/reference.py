"""One page of everything perfkit knows: commands, rules, checks, kinds of sync, rewrites and fixes.

The texts are those of `perfkit explain`; commands come as data, because this room knows none. Like the
reports it loads nothing, and without JavaScript it lacks only its search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from perfkit.remedies.pages import Page, all_pages
from perfkit.report._assets import asset, policy, templates
from perfkit.report._prose import Prose, prose, spans
from perfkit.report._text import visible

_SCRIPTS = ("reference.js", "contents.js", "links.js")
_LONG = 20_000

_CHAPTERS = {
    "rules": ("Rules", "What perfkit profile, analyze and report look for in a run or a trace."),
    "lint": ("Checks", "What perfkit lint finds in the source alone; nothing is run."),
    "catalogue": (
        "Kinds of sync",
        "Calls after which the host waits, and calls that only look so.",
    ),
    "rewrites": ("Rewrites", "What to write instead, proven equal by perfkit verify."),
    "fixes": ("Fixes", "What perfkit fix changes in a file, safe ones by themselves."),
}
_PREFIX = {"rules": "rule", "catalogue": "kind", "rewrites": "rewrite", "fixes": "fix"}
_FIRST = ("lint", "catalogue", "fixes", "rules", "rewrites")
"""Whose page a name means that several have: the last of these."""


@dataclass(frozen=True)
class Option:
    """An option or argument of a command as typed, and what it does."""

    typed: str
    help: str


@dataclass(frozen=True)
class Command:
    """A command: `text` is its help below the first sentence, `examples` are lines to type."""

    name: str
    usage: str
    title: str
    text: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Entry:
    """One page: its names, first line, text, and what to type next."""

    anchor: str
    names: tuple[str, ...]
    title: str
    body: tuple[Prose, ...]
    usage: str = ""
    options: tuple[Option, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """A room and its pages; `table` are pairs shown instead of pages."""

    anchor: str
    title: str
    lead: str
    entries: tuple[Entry, ...] = ()
    table: tuple[tuple[str, str], ...] = ()


def anchor(page: Page) -> str:
    """Where a page stands: #PK101, #rule-host-wait-in-step, #kind-nonzero, #rewrite-..., #fix-..."""
    prefix = _PREFIX.get(page.room)
    return f"{prefix}-{page.called[0]}" if prefix else page.called[0]


def chapters(
    commands: Sequence[Command], exit_codes: Sequence[tuple[str, str]]
) -> tuple[Chapter, ...]:
    """All that the page shows, in its order."""
    pages = list(all_pages())
    index = _index(pages)
    made = [_commands(commands, index)]
    for room, (title, lead) in _CHAPTERS.items():
        inside = sorted((p for p in pages if p.room == room), key=lambda p: p.called[0])
        entries = tuple(_entry(page, index) for page in inside)
        made.append(Chapter(room, title, lead, entries))
    lead = "How a command ends, for scripts and CI; perfkit profile ends as the script did."
    made.append(Chapter("exit-codes", "Exit codes", lead, table=tuple(exit_codes)))
    return tuple(made)


def render(commands: Sequence[Command], exit_codes: Sequence[tuple[str, str]], version: str) -> str:
    """The whole page as one HTML document."""
    shown = chapters(commands, exit_codes)
    scripts = [asset(name) for name in _SCRIPTS]
    document = (
        _environment()
        .get_template("reference.html")
        .render(
            chapters=shown,
            total=sum(len(chapter.entries) for chapter in shown),
            version=version,
            csp=Markup.escape(policy(scripts)),
            css=Markup(asset("page.css") + asset("reference.css")),
            scripts=[Markup(script) for script in scripts],
        )
    )
    return str(document).lstrip() + "\n"


def _index(pages: Iterable[Page]) -> dict[str, str]:
    """Anchors by every way a name is written."""
    found: dict[str, str] = {}
    for page in sorted(pages, key=lambda page: _FIRST.index(page.room)):
        for name in page.called:
            found |= dict.fromkeys(_spellings(name), anchor(page))
    return found


def _spellings(name: str) -> Iterator[str]:
    yield name
    yield name.replace("-", "_")
    yield name.replace("_", "-")


def _entry(page: Page, index: dict[str, str]) -> Entry:
    title, _, below = page.text.partition("\n")
    own = anchor(page)
    body = prose(below, index, own)
    return Entry(own, page.called, title, body, commands=page.commands)


def _commands(commands: Sequence[Command], index: dict[str, str]) -> Chapter:
    entries = tuple(
        Entry(
            f"command-{each.name}",
            (f"perfkit {each.name}",),
            each.title,
            prose(each.text, index),
            each.usage,
            each.options,
        )
        for each in commands
    )
    return Chapter("commands", "Commands", "What to type. Every command knows --help.", entries)


def _finalize(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return Markup("\n").join(visible(line, _LONG) for line in value.split("\n"))
    return value


def _environment() -> Environment:
    environment = templates(_finalize)
    environment.filters["spans"] = lambda text: spans(text, {})
    return environment
