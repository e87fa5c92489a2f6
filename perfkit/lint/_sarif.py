"""Findings as SARIF 2.1.0, the format that code-scanning services read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from perfkit.lint._finding import Finding
from perfkit.lint._hooks import by_code, checks
from perfkit.lint._run import UNREADABLE, UNREASONED, Result, fix_of

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_MARK = "perfkitFinding/v1"
_OWN = {
    UNREADABLE: ("unreadable", "A file that cannot be read as Python."),
    UNREASONED: ("allow-without-reason", "A comment that allows something without a reason."),
}


def sarif(results: Sequence[Result], version: str) -> str:
    """One run with the rules it knows and every finding; columns count characters."""
    findings = [one for result in results for one in result.findings]
    unread = [one for one in findings if one.code == UNREADABLE]
    rules = _rules()
    order = {rule["id"]: number for number, rule in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "perfkit lint", "version": version, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [_notification(one) for one in unread],
            }
        ],
        "results": [
            _result(one, order) | {"partialFingerprints": {_MARK: mark}}
            for one, mark in _marked([one for one in findings if one.code != UNREADABLE])
        ],
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1) + "\n"


def _marked(findings: Sequence[Finding]) -> list[tuple[Finding, str]]:
    """Each finding with a mark that stays when lines above it move: services match old ones by it."""
    seen: Counter[tuple[str, ...]] = Counter()
    found = []
    for one in findings:
        key = (one.path, one.code, one.function, one.message)
        words = "\0".join((*key, str(seen[key]))).encode(errors="surrogateescape")
        seen[key] += 1
        found.append((one, hashlib.sha256(words).hexdigest()[:32]))
    return found


def _rules() -> list[dict[str, Any]]:
    modules = checks()
    found = []
    for code, name in sorted(by_code().items()):
        page = (modules[name].__doc__ or "").strip()
        found.append(_rule(code, name, page.splitlines()[0], page, fix_of(modules[name])))
    found += [_rule(code, name, title, title, title) for code, (name, title) in _OWN.items()]
    return found


def _rule(code: str, name: str, title: str, page: str, fix: str) -> dict[str, Any]:
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": title},
        "fullDescription": {"text": page},
        "help": {"text": fix, "markdown": page},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["performance"]},
    }


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
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(one.path)},
            "region": {
                "startLine": one.line,
                "startColumn": one.column,
                "endLine": one.end_line,
                "endColumn": one.end_column,
            },
        }
    }
    if one.function:
        location["logicalLocations"] = [{"fullyQualifiedName": one.function, "kind": "function"}]
    return location


def _uri(path: str) -> str:
    """A relative reference, or a file address where the path is absolute."""
    quoted = quote(path.encode(errors="surrogateescape"), safe="/")
    return f"file://{quoted}" if PurePosixPath(path).is_absolute() else quoted
