"""The report as Markdown: the same blocks, and nothing a program said becomes markup."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt

from perfkit.model.run import Run
from perfkit.report.markdown import render
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run, hostile_run, lens_run


def _rendered(run: Run) -> str:
    return render(diagnose(run, _engine.outcome))


@pytest.mark.parametrize(
    ("run", "name"), [(ctr_run(), "ctr"), (lens_run(), "lens")], ids=["ctr", "lens"]
)
def test_golden(run: Run, name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"markdown_{name}.md", _rendered(run))


def test_hostile_names_become_neither_html_nor_links_nor_images() -> None:
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(_rendered(hostile_run()))
    tags = set(re.findall(r"</?([a-z0-9]+)", html))
    assert tags <= {
        "h1", "h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th", "td",
        "ul", "li", "pre", "code", "br",
    }  # fmt: skip
    assert "href" not in re.sub(r"<code.*?</code>", "", html, flags=re.S)


def test_hostile_names_keep_the_tables_in_shape() -> None:
    text = re.sub(r"\\\|", "", _rendered(hostile_run()))
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M)
    assert tables
    for table in tables:
        assert len({row.count("|") for row in table.splitlines()}) == 1


def test_control_bytes_do_not_survive() -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800]", _rendered(hostile_run()))


def test_an_empty_run_still_says_what_was_not_checked() -> None:
    text = _rendered(Run("empty"))
    assert "could not look" in text
    assert "None" not in text
