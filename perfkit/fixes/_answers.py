"""Which fixes answer what, read from their source: neither libcst nor torch is imported for it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path


@cache
def answers() -> dict[str, tuple[str, ...]]:
    """Names of fixes by what they may settle: a kind of sync, a rule (`per-expert-loop`), a lint code."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        for subject in _declared(ast.parse(path.read_text(encoding="utf-8"))):
            found[subject] = (*found.get(subject, ()), path.stem)
    return found


def fitting(subjects: Iterable[str]) -> tuple[str, ...]:
    """Names of the fixes for any of these subjects, each once; whether one applies, only it can say."""
    known = answers()
    return tuple(dict.fromkeys(name for one in subjects for name in known.get(one, ())))


def _declared(tree: ast.Module) -> tuple[str, ...]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for keyword in node.value.keywords:
                if keyword.arg == "answers":
                    return tuple(ast.literal_eval(keyword.value))
    return ()
