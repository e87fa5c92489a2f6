"""Findings as text, as JSON, and as annotations of a GitHub workflow. SARIF is in `_sarif`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from perfkit.base.github import Level, annotation
from perfkit.lint._finding import Finding
from perfkit.lint._run import Result, summary

SCHEMA = "perfkit.lint/1"
_COLOURS = {"error": "31", "warning": "33", "note": "36"}
_GITHUB: dict[str, Level] = {"error": "error", "warning": "warning", "note": "notice"}


def text(results: Sequence[Result], *, colour: bool) -> str:
    """One line per finding and its advice, then one line for all."""
    lines = []
    for result in results:
        for one in result.findings:
            lines.append(_line(one, colour))
            lines.append(_dim(f"    {one.fix}{_rewrite(one)}", colour))
    lines.append(_closing(results))
    return "\n".join(lines) + "\n"


def _line(one: Finding, colour: bool) -> str:
    where = f"{_plain(one.path)}:{one.line}:{one.column}"
    code = f"\x1b[1;{_COLOURS[one.level]}m{one.code}\x1b[0m" if colour else one.code
    inside = f" (in {one.function})" if one.function else ""
    likely = " [possible]" if one.confidence == "possible" else ""
    return f"{where}: {code} {_plain(one.message)}{inside}{likely}"


def _plain(words: str) -> str:
    """Source text may hold control characters; a terminal must not obey them."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)


def _rewrite(one: Finding) -> str:
    return f"; perfkit rewrites {one.rewrite}" if one.rewrite else ""


def _dim(words: str, colour: bool) -> str:
    return f"\x1b[2m{words}\x1b[0m" if colour else words


def _closing(results: Sequence[Result]) -> str:
    found, touched, count, lines = summary(results)
    allowed = sum(result.allowed for result in results)
    also = f", {allowed} allowed" if allowed else ""
    read = f"{count} {_plural('file', count)}, {lines} lines"
    if not found:
        return f"nothing found in {read}{also}"
    return f"{found} {_plural('finding', found)} in {touched} of {read}{also}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"


def as_json(results: Sequence[Result]) -> str:
    """Everything that is known of each finding, for machines."""
    found, touched, count, lines = summary(results)
    document = {
        "schema": SCHEMA,
        "findings": [asdict(one) for result in results for one in result.findings],
        "summary": {
            "findings": found,
            "files_with_findings": touched,
            "files": count,
            "lines": lines,
            "allowed": sum(result.allowed for result in results),
        },
    }
    return json.dumps(document, indent=1) + "\n"


def github(results: Sequence[Result]) -> str:
    """Workflow commands that GitHub shows beside the changed lines."""
    return "".join(_command(one) for result in results for one in result.findings)


def _command(one: Finding) -> str:
    return annotation(
        _GITHUB[one.level],
        f"{one.message}: {one.fix}",
        file=one.path,
        line=one.line,
        col=one.column,
        endLine=one.end_line,
        endColumn=one.end_column,
        title=f"{one.code} {one.check}",
    )
