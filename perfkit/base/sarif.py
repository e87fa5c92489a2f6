"""SARIF 2.1.0, the format that code-scanning services read: what every document of ours has in common."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_MARK = "perfkitFinding/v1"


def document(
    tool: str, version: str, rules: Sequence[Json], results: Sequence[Json], notes: Sequence[Json]
) -> str:
    """One run of one tool as JSON text; columns count characters. `notes` are no findings of a line."""
    run: Json = {
        "tool": {"driver": {"name": tool, "version": version, "rules": list(rules)}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": list(notes)}],
        "results": list(results),
    }
    whole = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(whole, indent=1) + "\n"


def rule(name: str, title: str, page: str, fix: str, code: str = "") -> Json:
    """A rule with its page; its name is its id where it has no `code`, and then stands there alone."""
    named: Json = {"id": code, "name": name} if code else {"id": name}
    return {
        **named,
        "shortDescription": {"text": title},
        "fullDescription": {"text": page},
        "help": {"text": fix, "markdown": page},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["performance"]},
    }


def marks(keys: Iterable[tuple[str, ...]]) -> list[Json]:
    """For each key a mark that stays when lines above it move: services match old findings by it."""
    seen: Counter[tuple[str, ...]] = Counter()
    found = []
    for key in keys:
        words = _bytes("\0".join((*key, str(seen[key]))))
        seen[key] += 1
        found.append({"partialFingerprints": {_MARK: hashlib.sha256(words).hexdigest()[:32]}})
    return found


def location(path: str, region: dict[str, int], function: str) -> Json:
    """A place in a file; `region` as the standard names its parts."""
    place: Json = {
        "physicalLocation": {"artifactLocation": {"uri": uri(path)}, "region": region},
    }
    if function:
        place["logicalLocations"] = [{"fullyQualifiedName": function, "kind": "function"}]
    return place


def uri(path: str) -> str:
    """A relative reference, or a file address where the path is absolute."""
    quoted = quote(_bytes(path), safe="/")
    return f"file://{quoted}" if PurePosixPath(path).is_absolute() else quoted


def _bytes(text: str) -> bytes:
    """File names keep the bytes that are no UTF-8; other surrogates are no text at all, and pass."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")
