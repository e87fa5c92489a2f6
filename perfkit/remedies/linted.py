"""Findings of `perfkit lint` that a codemod settles at their very lines name the command for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from perfkit.fixes import _answers
from perfkit.lint._finding import Finding
from perfkit.lint._run import Result
from perfkit.remedies import _commands

if TYPE_CHECKING:  # libcst is imported only where a fix may apply
    from perfkit.fixes._apply import Candidate

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
    from perfkit.fixes._apply import candidates
    from perfkit.fixes._codemod import chosen

    ready = [one for one in candidates(data, chosen(sorted(wanted), ())) or () if one.ready]
    if not ready:
        return result
    return replace(result, findings=tuple(_named(one, ready) for one in result.findings))


def _named(one: Finding, ready: list[Candidate]) -> Finding:
    fitting = _answers.fitting((one.code,))
    here = [
        change
        for change in ready
        if change.fix in fitting and change.span[0] <= one.end_line and change.span[1] >= one.line
    ]
    if not here:
        return one
    names = tuple(dict.fromkeys(change.fix for change in here))
    place = f"{one.path}:{one.line}"
    command = _commands.fix(names, all(change.safe for change in here), place)
    return replace(one, fix=f"{one.fix}; {command}")
