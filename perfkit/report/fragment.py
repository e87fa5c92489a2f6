"""A verdict, a finding or a table as a small piece of HTML: for notebooks, where a page is too much.

Hardly any style and no script: code hosts strip both, and what is left must still read well. The page
has everything; here are the verdict, the worst lines, and what they stand on.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from markupsafe import Markup

from perfkit.model.diagnosis import Diagnosis, Finding
from perfkit.model.table import Cell, Table
from perfkit.report import _words
from perfkit.report._assets import templates
from perfkit.report._findings import Ranked, is_part, ranked
from perfkit.report._remedies import next_commands
from perfkit.report._text import short_names, visible

_SITES = 5
_ROWS = 20
_LONG = 2_000
_UNITS = {"ns": _words.duration, "bytes": _words.size, "per step": _words.per_step}


def render(diagnosis: Diagnosis, kept_in: str = "") -> str:
    """Verdict, worst lines with their code, coverage, and what was not checked.

    Args:
        kept_in: where the run is, for the reader; empty where nobody kept it.
    """
    found = [item for item in ranked(diagnosis) if not is_part(item.finding)]
    commands = next_commands(found, diagnosis)
    return _text(
        "verdict",
        run=diagnosis.run,
        device=diagnosis.facts.get("device", "unknown device"),
        what=diagnosis.verdict.what,
        lines=[*_lines(diagnosis, kept_in), *((one.label, one.text) for one in commands)],
        cost=f"cost{_words.on_device(diagnosis)}",
        sites=[_site(item) for item in found[:_SITES]],
        more=len(found[_SITES:]),
        missing=_words.not_checked(diagnosis),
    )


def finding(found: Finding) -> str:
    """One finding by itself."""
    return _text("finding", site=_site(Ranked(1, "", found, _place(found), "", ())))


def table(shown: Table) -> str:
    """The first rows with values as people read them; `.frame()` has all of them as they are."""
    rows = [
        [_told(cell, column.unit) for cell, column in zip(row, shown.columns, strict=True)]
        for row in shown.rows[:_ROWS]
    ]
    heads = [column.name.removesuffix("_ns") for column in shown.columns]
    return _text("table", heads=heads, rows=rows, more=max(0, len(shown.rows) - _ROWS))


def _lines(diagnosis: Diagnosis, kept_in: str) -> list[tuple[str, str]]:
    facts = diagnosis.facts
    told = (
        ("Why", diagnosis.verdict.why),
        ("Next", diagnosis.verdict.next),
        ("Limited by", facts.get("limited by", "")),
        ("Together", facts.get("all findings together", "")),
        ("Stands on", _words.coverage_line(diagnosis)),
        ("Run", kept_in),
    )
    return [(name, text) for name, text in told if text]


def _site(item: Ranked) -> dict[str, Any]:
    found = item.finding
    lines = [
        f"{'>' if line.marked else ' '} {line.number:>4}  {line.text}".rstrip()
        for line in item.snippet
    ]
    return {
        "per_step": _words.per_step(found.evidence.get("per_step")),
        "where": item.where,
        "kind": str(found.evidence.get("kinds") or item.rule),
        "cost": _words.span(found.saving) if found.saving else "–",
        "title": found.title,
        "code": lines or [found.code] * bool(found.code),
        "fix": found.fix,
        "rewrite": found.rewrite,
        "diff": found.remedy.diff.splitlines() if found.remedy else [],
    }


def _place(found: Finding) -> str:
    if found.place is None:
        return "the whole step"
    return f"{short_names([found.place.file])[found.place.file]}:{found.place.line}"


def _told(cell: Cell, unit: str | None) -> tuple[str, bool]:
    """The text of a cell, and whether it is a number."""
    number = isinstance(cell, (int, float)) and not isinstance(cell, bool)
    if unit == "ratio" and number:
        return _words.share(cell), True
    return _UNITS.get(unit or "", _words.text)(cell), number


def _finalize(value: Any) -> Any:
    """Every text is made visible on its way in; escaping follows."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, _LONG)
    return value


def _text(macro: str, **values: Any) -> str:
    return str(getattr(_template(), macro)(**values))


@cache
def _template() -> Any:
    return templates(_finalize).get_template("fragment.html").module
