"""The found programs as a user's own files, and what a user does to them once perfkit has spoken.

A `Program` is copied into a folder as a package of its own, which nothing but the user imports, so that
`perfkit fix` may write there. Its changes are made in order, each answering findings by rule and
function; a change is either the command that a finding prints, or the call of a shipped rewrite put in
by hand where no codemod covers it, written down here as text that must be there exactly once. After each
change the package is kept beside as `<name>_1`, `<name>_2`, ...; `<name>_0` is as found.

`checks` is a file of the user's, too: functions for `perfkit compare`, and `once(package)`, which runs the
whole program and gives its results, so that any two versions can be held against each other.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PERFKIT = Path(__file__).resolve().parents[1] / "perfkit"
CHECKS = "checks.py"


@dataclass(frozen=True)
class Answers:
    """A finding that a change answers: of this rule, placed within this function."""

    rule: str
    function: str


@dataclass(frozen=True)
class Edit:
    """One replacement in a file of the package."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Check:
    """Inputs to capture from the unchanged program, and two functions of `checks` that take them.

    `capture` is a name as `perfkit profile --capture-inputs` takes it. `tolerance`: relative, where the
    one by dtype is too strict: telemetry is computed in float32 and returned as Python's floats.
    """

    capture: str
    before: str
    after: str
    tolerance: float | None = None


@dataclass(frozen=True)
class Change:
    """What a user does about some findings.

    Attributes:
        fix: of `perfkit fix`, applied by the command that the finding names; empty where edits are
            made by hand.
        check: how `perfkit compare` proves it; None where only the whole program's results can.
    """

    title: str
    answers: tuple[Answers, ...]
    fix: str = ""
    edits: tuple[Edit, ...] = ()
    check: Check | None = None


@dataclass(frozen=True)
class Program:
    """A found program.

    Attributes:
        files: where each file of the package comes from, below the installed perfkit.
        written: files of the user's own, by name.
        replaced: text replaced in all files, so that they import each other and not perfkit's.
        arguments, small: of the program, at full and at reduced size.
        checks: text of the file of checks.
        tolerance: the largest difference between results that is rounding.
    """

    name: str
    files: Mapping[str, str]
    changes: tuple[Change, ...]
    checks: str
    arguments: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 1e-6

    def lay_out(self, folder: Path) -> Path:
        """Write the package as found, a copy of it as `<name>_0`, and the checks.

        Returns:
            the package's folder.
        """
        package = folder / self.name
        package.mkdir(parents=True)
        for target, source in self.files.items():
            text = (PERFKIT / source).read_text(encoding="utf-8")
            for old, new in self.replaced.items():
                text = text.replace(old, new)
            (package / target).write_text(text, encoding="utf-8")
        for target, text in self.written.items():
            (package / target).write_text(text, encoding="utf-8")
        self.keep(folder, 0)
        (folder / CHECKS).write_text(self.checks, encoding="utf-8")
        return package

    def keep(self, folder: Path, number: int) -> None:
        """Keep the package as it is now as `<name>_<number>`."""
        leave_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(folder / self.name, folder / f"{self.name}_{number}", ignore=leave_out)


def apply(edits: tuple[Edit, ...], package: Path) -> None:
    """Make the replacements.

    Raises:
        ValueError: a text that is not there exactly once; the found program has changed since.
    """
    for edit in edits:
        path = package / edit.file
        text = path.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise ValueError(f"{path}: {text.count(edit.old)} times: {edit.old!r}")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
