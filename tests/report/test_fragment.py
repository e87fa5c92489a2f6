"""A verdict in a notebook: what it says, and that nothing a program said becomes markup."""

from __future__ import annotations

import re

import pytest

from perfkit.model.diagnosis import Coverage, Diagnosis, Finding, Outcome, Verdict
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table
from perfkit.report import fragment
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run, hostile_run, lens_run

RUNS = [ctr_run(), lens_run(), hostile_run(), Run("empty")]
NAMES = ["ctr", "lens", "hostile", "empty"]
_TAG = re.compile(r"</?(\w+)")
_ALLOWED = {
    *("p", "b", "br", "table", "tr", "th", "td", "code", "pre", "details", "summary", "ul", "li")
}


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_nothing_but_its_own_tags_is_markup_and_nothing_is_loaded(run: Run) -> None:
    text = fragment.render(diagnose(run, _engine.outcome), "profiles/<b>here</b>")
    assert set(_TAG.findall(text)) <= _ALLOWED
    assert "script" not in _TAG.findall(text) and "src=" not in re.sub(r">[^<]*<", "><", text)
    assert "\u202e" not in text and "\x1b" not in text


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_what_is_opened_is_closed(run: Run) -> None:
    text = fragment.render(diagnose(run, _engine.outcome))
    for tag in _ALLOWED - {"br"}:
        assert text.count(f"<{tag}>") + text.count(f"<{tag} ") == text.count(f"</{tag}>"), tag


def test_an_empty_run_shows_no_table_of_lines_and_says_what_was_not_checked() -> None:
    text = fragment.render(diagnose(Run("empty"), _engine.outcome))
    assert "per step" not in text and "were not checked" in text and "None" not in text


def test_the_verdict_comes_first_then_the_worst_lines_with_their_code() -> None:
    diagnosis = diagnose(ctr_run(), _engine.outcome)
    text = fragment.render(diagnosis, "profiles/ctr")
    assert text.index("A step takes") < text.index("Why") < text.index("per step")
    assert "model.py:" in text and "<pre>" in text and "profiles/ctr" in text


def test_of_many_findings_five_are_shown_and_the_others_counted() -> None:
    found = tuple(Finding(f"number {index}", Frame("a.py", index, "f")) for index in range(1, 8))
    verdict, coverage = Verdict("What.", "Why.", "Next."), Coverage(3, "a test")
    text = fragment.render(
        Diagnosis("many", verdict, coverage, (Outcome("r", "found", None, found),))
    )
    assert text.count("<details>") == 5 and "2 more in the report" in text


def test_a_finding_by_itself_has_place_code_and_advice() -> None:
    place = Frame("/tmp/kernel_1/In [3]", 4, "work")
    found = Finding("Waits <often>", place, "x.item()", fix="Do not", rewrite="device_metrics")
    text = fragment.finding(found)
    assert "<code>In [3]:4</code>" in text and "Waits &lt;often&gt;" in text
    assert "x.item()" in text and "Do not" in text and "perfkit verify device_metrics" in text


def test_a_finding_without_a_line_says_so() -> None:
    assert "the whole step" in fragment.finding(Finding("Slow"))


def test_a_table_has_units_and_unknown_is_a_dash_and_never_zero() -> None:
    columns = (
        Column("name"),
        Column("time_ns", "ns"),
        Column("size", "bytes"),
        Column("share", "ratio"),
    )
    rows: tuple[tuple[str | float | None, ...], ...] = (
        ("<i>", 1_500_000, 2048, 0.25),
        ("", None, None, None),
    )
    text = fragment.table(Table(columns, rows))
    assert [cell in text for cell in (">time<", "1.5 ms", "2 KiB", "25%", "&lt;i&gt;")] == [
        True
    ] * 5
    assert text.count(">–<") == 4


def test_a_long_table_says_how_many_rows_are_left() -> None:
    table = Table((Column("n"),), tuple((number,) for number in range(100)))
    assert "80 more rows" in fragment.table(table)
    assert "more rows" not in fragment.table(Table((Column("n"),), ((1,),)))
