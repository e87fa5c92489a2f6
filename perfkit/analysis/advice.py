"""Advice that fits the statement: the same read calls for one thing in a branch and another in a log line.

Looks at the text of one statement and at the loop around it; says nothing where it recognises nothing,
so that the advice of the kind's own page stands. The loop of the steps themselves is none to be left
out.
"""

from __future__ import annotations

import re

from perfkit.analysis.source import Source

_EMPTY_TEST = re.compile(r"^(el)?if\b.*\.any\(\)\s*:")
_BRANCH = re.compile(r"^(el)?if\b|^while\b|\bif\b.+\belse\b")
_LOG = re.compile(
    r"\b(print|logg\w*|log|write|info|debug|add_scalar|set_postfix\w*|update_bar)\b\s*[(.]"
)
_SUM = re.compile(r"\+=|\.append\(|\bsum\(")


def fitting(kind: str, source: Source | None) -> str | None:
    """What to do about a sync of this kind in this statement; None where nothing special is known."""
    if source is None:
        return None
    if kind == "item":
        return _read(source)
    if kind in ("nonzero", "mask_index") and source.repeated_by is not None:
        return _selection_in_loop(source.repeated_by)
    return None


def _read(source: Source) -> str | None:
    code = source.code
    if _EMPTY_TEST.search(code):
        return (
            "drop the test: work on an empty selection does nothing, and asking makes the host wait"
        )
    if code.startswith("assert"):
        return "take the assertion out of the step, or let the device check: torch._assert_async(condition)"
    if _BRANCH.search(code):
        return "decide on the device: torch.where(condition, a, b), or test only every N steps"
    if _LOG.search(code):
        return "log every N steps; until then keep the value as a detached tensor"
    if _SUM.search(code):
        return "accumulate on the device (total += value.detach()) and read once at the end"
    loop = source.repeated_by
    if loop is not None:
        return f"read everything once before the loop of line {loop} (.tolist()), or vectorise it"
    return None


def _selection_in_loop(loop: int) -> str:
    return (
        f"do the loop of line {loop} at once: sort by group and split, "
        "or torch.where with weights of zero"
    )
