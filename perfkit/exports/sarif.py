"""A diagnosis as SARIF 2.1.0: findings that have a line, for code scanning and editors.

What has no line, and what rules could not look at, stands among the notifications: services refuse a
document with a result that is nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perfkit.base import units
from perfkit.base.sarif import document, location, marks, rule
from perfkit.compare.comparison import Comparison
from perfkit.model.diagnosis import Diagnosis, Finding, Outcome

_STATES = {"new": "new", "remained": "unchanged", "gone": "absent"}
"""States of a comparison as SARIF spells them."""

_Placed = tuple[str, Finding, str]


def sarif(diagnosis: Diagnosis, version: str, root: Path) -> str:
    """One run of one diagnosis.

    Args:
        version: of perfkit.
        root: files below it get addresses relative to it, as services want.
    """
    found = [(name, finding, "") for name, finding in diagnosis.findings()]
    return _document(diagnosis, found, _pages(diagnosis), version, root)


def sarif_since(
    before: Diagnosis, after: Diagnosis, comparison: Comparison, version: str, root: Path
) -> str:
    """The same of `after` with what is new since `before`, unchanged, or absent now."""
    found = [
        (change.rule, change.shown, _STATES.get(change.state, "new"))
        for change in comparison.findings
        if change.after is not None or change.state == "gone"
    ]
    return _document(after, found, _pages(before) | _pages(after), version, root)


def _document(
    diagnosis: Diagnosis, found: list[_Placed], pages: Mapping[str, str], version: str, root: Path
) -> str:
    placed = [item for item in found if item[1].place is not None]
    names = sorted({name for name, _, _ in placed})
    rules = [_rule(name, pages.get(name, ""), placed) for name in names]
    keys = [_key(name, finding, root) for name, finding, _ in placed]
    results = [
        _result(item, names, root) | mark for item, mark in zip(placed, marks(keys), strict=True)
    ]
    notes = [_note("warning", f"{n}: {_message(f)}") for n, f, _ in found if f.place is None]
    notes += [_abstained(each) for each in diagnosis.outcomes if each.state in _BLIND]
    return document("perfkit", version, rules, results, notes)


_BLIND = ("not-observable", "error")


def _pages(diagnosis: Diagnosis) -> dict[str, str]:
    """The pages of rules that the diagnosis carries; of an older version, none."""
    table = diagnosis.tables.get("pages")
    told = table.records() if table else []
    return {
        str(row["name"]).rpartition("/")[2].replace("_", "-"): str(row["text"])
        for row in told
        if row.get("what") == "rule"
    }


def _rule(name: str, page: str, placed: list[_Placed]) -> dict[str, Any]:
    fix = next((f.fix for n, f, _ in placed if n == name and f.fix), name)
    title = page.strip().splitlines()[0] if page.strip() else name.replace("-", " ")
    return rule(name, title, page or title, fix)


def _key(name: str, finding: Finding, root: Path) -> tuple[str, ...]:
    """What stays of a finding when numbers and lines change."""
    assert finding.place is not None
    code = " ".join(finding.code.split())
    return _path(finding.place.file, root), name, finding.place.function, code


def _result(item: _Placed, names: list[str], root: Path) -> dict[str, Any]:
    name, finding, state = item
    place = finding.place
    assert place is not None
    quiet = finding.confidence == "low" or bool(finding.evidence.get("part_of"))
    region = {"startLine": max(1, place.line)}
    found: dict[str, Any] = {
        "ruleId": name,
        "ruleIndex": names.index(name),
        "level": "note" if quiet else "warning",
        "message": {"text": _message(finding)},
        "locations": [location(_path(place.file, root), region, place.function)],
        "properties": _properties(finding),
    }
    return found | {"baselineState": state} if state else found


def _message(finding: Finding) -> str:
    """What, how much, and what instead."""
    told = finding.title
    if finding.saving:
        low, high = (units.ns(value) for value in (finding.saving.low_ns, finding.saving.high_ns))
        told += f" (estimated {low} to {high} per {finding.saving.per})"
    return f"{told}: {finding.fix}" if finding.fix else told


def _properties(finding: Finding) -> Mapping[str, Any]:
    saving = finding.saving
    return {
        "confidence": finding.confidence,
        "rewrite": finding.rewrite,
        "saving_ns": None if saving is None else [saving.low_ns, saving.likely_ns, saving.high_ns],
    }


def _abstained(outcome: Outcome) -> dict[str, Any]:
    told = "could not look" if outcome.state == "not-observable" else "crashed"
    return _note("note", f"{outcome.rule} {told}: {outcome.reason or 'no reason was given'}")


def _note(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}}


def _path(file: str, root: Path) -> str:
    """Relative to the root where it lies below it, with forward slashes."""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return file.replace(os.sep, "/")
