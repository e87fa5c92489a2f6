"""Findings as SARIF 2.1.0, the format that code-scanning services read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perfkit.base.sarif import document, location, marks, rule
from perfkit.lint._finding import Finding
from perfkit.lint._hooks import by_code, checks
from perfkit.lint._run import UNREADABLE, UNREASONED, Result, fix_of

_OWN = {
    UNREADABLE: ("unreadable", "A file that cannot be read as Python."),
    UNREASONED: ("allow-without-reason", "A comment that allows something without a reason."),
}


def sarif(results: Sequence[Result], version: str) -> str:
    """One run with the rules it knows and every finding; columns count characters."""
    findings = [one for result in results for one in result.findings]
    unread = [one for one in findings if one.code == UNREADABLE]
    rules = _rules()
    order = {each["id"]: number for number, each in enumerate(rules)}
    found = [one for one in findings if one.code != UNREADABLE]
    keys = [(one.path, one.code, one.function, one.message) for one in found]
    made = [_result(one, order) | mark for one, mark in zip(found, marks(keys), strict=True)]
    return document("perfkit lint", version, rules, made, [_notification(one) for one in unread])


def _rules() -> list[dict[str, Any]]:
    modules = checks()
    found = []
    for code, name in sorted(by_code().items()):
        page = (modules[name].__doc__ or "").strip()
        found.append(rule(name, page.splitlines()[0], page, fix_of(modules[name]), code))
    found += [rule(name, title, title, title, code) for code, (name, title) in _OWN.items()]
    return found


def _result(one: Finding, order: dict[str, int]) -> dict[str, Any]:
    return {
        "ruleId": one.code,
        "ruleIndex": order[one.code],
        "level": one.level,
        "message": {"text": f"{one.message}: {one.fix}"},
        "locations": [_location(one)],
        "properties": {"kind": one.kind, "confidence": one.confidence, "rewrite": one.rewrite},
    }


def _notification(one: Finding) -> dict[str, Any]:
    return {"level": "error", "message": {"text": one.message}, "locations": [_location(one)]}


def _location(one: Finding) -> dict[str, Any]:
    region = {
        "startLine": one.line,
        "startColumn": one.column,
        "endLine": one.end_line,
        "endColumn": one.end_column,
    }
    return location(one.path, region, one.function)
