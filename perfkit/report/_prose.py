"""Page texts, as they stand in docstrings, taken apart: headings, paragraphs, lists, verbatim text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

SpanKind = Literal["text", "code", "bold"]

_BOLD_HEAD = re.compile(r"\*\*(?P<head>[^*]+)\*\*:\s*")
_ITEM = re.compile(r"- (?P<text>.*)")
_SPAN = re.compile(r"``(?P<double>.+?)``|`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*")
_NAME = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")


@dataclass(frozen=True)
class Span:
    """A stretch of a paragraph; with `anchor` it is a link to that place of the page."""

    kind: SpanKind
    text: str
    anchor: str = ""


@dataclass(frozen=True)
class Heading:
    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Paragraph:
    kind: ClassVar[str] = "paragraph"
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Items:
    """A list."""

    kind: ClassVar[str] = "items"
    items: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True)
class Verbatim:
    """Text whose lines and spaces mean something."""

    kind: ClassVar[str] = "verbatim"
    text: str


Prose = Heading | Paragraph | Items | Verbatim


def prose(text: str, index: Mapping[str, str], own: str = "") -> tuple[Prose, ...]:
    """The text of a page below its title.

    Args:
        index: anchors of other pages by name: names in the text become links.
        own: the page's own anchor, to which it does not link.
    """
    return tuple(_parts(text, {name: a for name, a in index.items() if a != own}))


def _parts(text: str, index: Mapping[str, str]) -> Iterator[Prose]:
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.splitlines()
        while lines and _heads(lines):
            yield Heading(lines.pop(0).strip())
        if not lines:
            continue
        body = textwrap.dedent("\n".join(lines))
        if lines[0].startswith("        ") or ("\n  " in body and not _ITEM.match(body)):
            yield Verbatim(body)
        else:
            yield from _running(body, index)


def _heads(lines: list[str]) -> bool:
    """Whether the first line is a heading: at the margin, with all below it indented."""
    if len(lines) < 2 or lines[0][:1].isspace() or not lines[0]:
        return False
    return all(line.startswith("    ") for line in lines[1:])


def _running(body: str, index: Mapping[str, str]) -> Iterator[Prose]:
    """A paragraph or a list, which `**Heading**:` may lead."""
    if head := _BOLD_HEAD.match(body):
        yield Heading(head["head"])
        body = body[head.end() :]
    if _ITEM.match(body):
        items = re.split(r"\n(?=- )", body)
        yield Items(tuple(spans(_flat(item)[2:], index) for item in items))
    else:
        yield Paragraph(spans(_flat(body), index))


def spans(text: str, index: Mapping[str, str]) -> tuple[Span, ...]:
    """Code, bold and plain stretches of a paragraph, with links to what is named in them."""
    made: list[Span] = []
    end = 0
    for match in _SPAN.finditer(text):
        made += _plain(text[end : match.start()], index)
        if bold := match["bold"]:
            made.append(Span("bold", bold))
        else:
            code = match["double"] or match["code"]
            made.append(Span("code", code, _named(code, index)))
        end = match.end()
    return (*made, *_plain(text[end:], index))


def _plain(text: str, index: Mapping[str, str]) -> Iterator[Span]:
    """Text in which names that nobody writes by accident (with _, - or digits) become links."""
    end = 0
    for match in _NAME.finditer(text):
        name = match[0]
        if name.isalpha() or name not in index:
            continue
        if match.start() > end:
            yield Span("text", text[end : match.start()])
        yield Span("text", name, index[name])
        end = match.end()
    if end < len(text):
        yield Span("text", text[end:])


def _named(code: str, index: Mapping[str, str]) -> str:
    """Where the code names a page, with or without a call's brackets and what stands before a dot."""
    name = re.sub(r"\(.*\)$", "", code)
    return index.get(name) or index.get(name.rpartition(".")[2], "")


def _flat(text: str) -> str:
    return " ".join(text.split())
