"""The page of everything: what stands on it, and that its links lead somewhere."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from perfkit.remedies.pages import all_pages
from perfkit.report._prose import Heading, Items, Paragraph, Span, Verbatim, prose, spans
from perfkit.report.reference import Command, Option, anchor, chapters, render

COMMANDS = (
    Command("profile", "perfkit profile SCRIPT", "Run SCRIPT.", "More.", (Option("--x", "X."),)),
)
CODES = (("0", "Done."),)


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def text() -> str:
    return render(COMMANDS, CODES, "0.0")


@pytest.fixture(scope="module")
def page(text: str) -> _Page:
    return _Page(text)


def test_every_page_is_on_it_once_and_every_link_leads_to_one(page: _Page) -> None:
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert {anchor(each) for each in all_pages()} | {"command-profile", "exit-codes"} <= set(ids)
    assert len(ids) == len(set(ids))
    links = {(a.get("href") or "")[1:] for tag, a in page.tags if tag == "a"}
    assert links <= set(ids)


@pytest.mark.parametrize(
    "name",
    [
        "PK101",
        "PK900",
        "rule-host-wait-in-step",
        "kind-nonzero",
        "rewrite-moe_dispatch",
        "fix-any_guard",
    ],
)
def test_addresses_stay_as_they_are(page: _Page, name: str) -> None:
    assert any(a.get("id") == name for _, a in page.tags)


def test_every_plug_in_has_a_title_and_headings() -> None:
    bare = [
        entry.anchor
        for chapter in chapters(COMMANDS, CODES)
        for entry in chapter.entries
        if chapter.anchor != "commands" and not entry.anchor.startswith("PK9")
        if not entry.title or sum(isinstance(part, Heading) for part in entry.body) < 3
    ]
    assert bare == []


def test_no_markup_of_the_docstrings_is_left_over() -> None:
    left = [
        (entry.anchor, span.text)
        for chapter in chapters(COMMANDS, CODES)
        for entry in chapter.entries
        for part in entry.body
        if isinstance(part, Paragraph)
        for span in part.spans
        if "**" in span.text or (span.kind == "text" and "`" in span.text)
    ]
    assert left == []


def test_it_loads_nothing(page: _Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("img", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src") is None
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))


def test_it_stays_small(text: str) -> None:
    assert len(text) < 500_000


def test_hostile_help_stays_text() -> None:
    hostile = Command("x", "x </pre><script>", "<img src=x>", "`<b>` {{7*7}}", ())
    made = render((hostile,), (("<i>", "\x1b"),), "<script>")
    assert "<img" not in made and "<b>`" not in made and "&lt;script&gt;" in made
    assert "{{7*7}}" in made and "\x1b" not in made


def test_a_name_becomes_a_link_but_not_a_plain_word_and_not_to_itself() -> None:
    index = {"moe_dispatch": "rewrite-moe_dispatch", "equal": "kind-equal"}
    assert spans("equal to moe_dispatch", index) == (
        Span("text", "equal to "),
        Span("text", "moe_dispatch", "rewrite-moe_dispatch"),
    )
    assert spans("`x.equal(y)`", index) == (Span("code", "x.equal(y)", "kind-equal"),)
    (told,) = prose("See moe_dispatch.", index, own="rewrite-moe_dispatch")
    assert told == Paragraph((Span("text", "See moe_dispatch."),))


def test_both_kinds_of_headings_lists_and_code_are_told_apart() -> None:
    text = (
        "What it does\n    One\n    paragraph.\n\n    - first\n    - second\n      line\n\n"
        "**Instead**: that.\n\nExamples\n        perfkit x\n          --y"
    )
    assert prose(text, {}) == (
        Heading("What it does"),
        Paragraph((Span("text", "One paragraph."),)),
        Items(((Span("text", "first"),), (Span("text", "second line"),))),
        Heading("Instead"),
        Paragraph((Span("text", "that."),)),
        Heading("Examples"),
        Verbatim("perfkit x\n  --y"),
    )
