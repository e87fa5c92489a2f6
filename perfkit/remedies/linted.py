"""Findings of `perfkit lint` that a codemod settles at their very lines name the command for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from perfkit.fixes import _answers
from perfkit.lint._finding import Finding
from perfkit.lint._run import Result
from perfkit.remedies import _commands

_LARGEST = 400_000
"""Bytes: a larger file takes seconds to be read by libcst."""


def with_fixes(result: Result) -> Result:
    """The result of one file with `perfkit fix --select NAME FILE:LINE` behind the advice it applies to."""
    wanted = {name for one in result.findings for name in _answers.fitting((one.code,))}
    path = Path(result.path)
    if not wanted or path.suffix != ".py" or not path.is_file():
        return result
    data = path.read_bytes()
    if len(data) > _LARGEST:
        return result
    from perfkit.fixes._apply import fixed
    from perfkit.fixes._codemod import chosen

    notes = fixed(data, chosen(sorted(wanted), ()), unsafe=True).changed
    spans = [(span, note.fix, note.safe) for note in notes for span in note.spans]
    return replace(result, findings=tuple(_named(one, spans) for one in result.findings))


def _named(one: Finding, spans: list[tuple[tuple[int, int], str, bool]]) -> Finding:
    fitting = _answers.fitting((one.code,))
    here = [
        (name, safe)
        for (first, last), name, safe in spans
        if name in fitting and first <= one.end_line and last >= one.line
    ]
    if not here:
        return one
    names = tuple(dict.fromkeys(name for name, _ in here))
    place = f"{one.path}:{one.line}"
    command = _commands.fix(names, all(safe for _, safe in here), place)
    return replace(one, fix=f"{one.fix}; {command}")
