"""Joins findings with codemods by kind and line, and with pages by name."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from perfkit.fixes import _answers, _seen
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Diagnosis, Finding, Outcome, Remedy
from perfkit.model.table import Column, Table
from perfkit.remedies import _commands
from perfkit.remedies.pages import Page, page
from perfkit.remedies.sources import Function, ReadSource, function_at, stands_there

if TYPE_CHECKING:  # numpy and libcst come with them, and `perfkit explain` must not wait for that
    from perfkit.fixes._apply import Candidate
    from perfkit.model.run import Run

_MOST_FILES = 20
_MOST_LINES = 200
_MOST_CHARACTERS = 20_000
_LEAST_CALLS = 2
"""What was seen once may be another number next time: not to be filled in unless asked for."""
_WINS = ("When it wins, and when not", "When it wins")
_NOT = ("When not to act", "When not to use it")


@dataclass(frozen=True)
class _Edit:
    """What codemods do to one line.

    Attributes:
        fixes: their names; `diff` what they change, `check` and `by_hand` what they say.
        why_not: why nothing was tried, or nothing is shown.
    """

    fixes: tuple[str, ...] = ()
    diff: str = ""
    safe: bool = False
    check: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    function: Function | None = None
    why_not: str = ""


@dataclass
class _Maker:
    """Makes remedies for the findings of one diagnosis; every file is read once."""

    diagnosis: Diagnosis
    read: ReadSource
    folder: Path
    run: Run | None = None
    files: dict[str, bytes | str] = field(default_factory=dict)
    spans: dict[str, list[Candidate] | None] = field(default_factory=dict)

    def remedy(self, rule: str, finding: Finding, edit: _Edit) -> Remedy:
        """How to act on one finding."""
        own = page("rules", rule.replace("-", "_"))
        rewrite = page("rewrites", finding.rewrite) if finding.rewrite else None
        mods = [found for name in edit.fixes if (found := page("fixes", name))]
        pages = [one for one in (rewrite, *mods, own) if one is not None]
        nots = [one.section(*_NOT) for one in (own, *mods) if one is not None]
        return Remedy(
            fixes=edit.fixes,
            diff=edit.diff,
            root=self.root(finding) if edit.diff else "",
            no_diff=edit.why_not,
            safe=edit.safe,
            check=edit.check,
            by_hand=edit.by_hand,
            apply=self.apply(finding, edit),
            verify=tuple(self.verify(finding, edit)),
            folder=str(self.folder),
            wins=rewrite.section(*_WINS) if rewrite else "",
            not_when="\n\n".join(dict.fromkeys(text for text in nots if text)),
            pages=tuple(map(_key, pages)),
        )

    def edit(self, rule: str, finding: Finding) -> _Edit:
        """What codemods change for a finding; nothing where none answers it."""
        kinds = str(finding.evidence.get("kinds") or "").split(", ")
        names = _answers.fitting((rule, *kinds))
        if finding.place is None or not names:
            return _Edit()
        file = finding.place.file
        if file not in self.files:
            full = len(self.files) >= _MOST_FILES
            self.files[file] = "too many files" if full else self.read(file)
        data = self.files[file]
        if not file.isprintable():
            data = "the name of its file cannot be shown"
        if isinstance(data, str):
            return _Edit(why_not=f"No diff was made: {data}.")
        if not stands_there(data, finding.place):
            return _Edit(why_not="No diff was made: another function stands at this line now.")
        seen = self.seen(file)
        here = self.fitting(file, data, finding.place.line)
        names = tuple(name for name in names if here is None or name in here)
        if not names:
            return _Edit()
        return _edited(data, names, finding.place.line, _commands.shown(file, self.folder), seen)

    def seen(self, file: str) -> dict[int, list[OpCost]]:
        """What the run saw at the lines of a file, often enough to be told."""
        return _seen.by_line(self.run.costs, file, _LEAST_CALLS) if self.run else {}

    def fitting(self, file: str, data: bytes, line: int) -> set[str] | None:
        """Names of the fixes that speak for a line; None where the file cannot be read."""
        from perfkit.fixes._apply import candidates
        from perfkit.fixes._codemod import fixes

        if file not in self.spans:
            self.spans[file] = candidates(data, fixes(), self.seen(file))
        found = self.spans[file]
        if found is None:
            return None
        return {one.fix for one in found if one.span[0] <= line <= one.span[1]}

    def place(self, finding: Finding) -> str:
        """`model.py:100` as it is typed."""
        assert finding.place is not None
        return f"{_commands.shown(finding.place.file, self.folder)}:{finding.place.line}"

    def root(self, finding: Finding) -> str:
        """The folder that the names in the diff are relative to."""
        assert finding.place is not None
        below = Path(finding.place.file).is_relative_to(self.folder)
        return str(self.folder) if below else "/"

    def apply(self, finding: Finding, edit: _Edit) -> tuple[str, ...]:
        if not edit.fixes:
            return ()
        return (self.fix(finding, edit, "--write"),)

    def fix(self, finding: Finding, edit: _Edit, *options: str) -> str:
        return _commands.fix(edit.fixes, edit.safe, self.place(finding), *options)

    def verify(self, finding: Finding, edit: _Edit) -> Iterator[str]:
        """Proofs first, then the measurement."""
        if finding.rewrite:
            yield f"perfkit verify {shlex.quote(finding.rewrite)}"
        if not edit.fixes:
            return
        if edit.function is not None and self.capture is not None:
            folder = _commands.inputs_folder(self.diagnosis.run)
            yield self.capture
            yield self.fix(finding, edit, "--verify", folder)
        again = _commands.again(self.diagnosis.facts.get("command", ""))
        if again is not None:
            yield again

    @cached_property
    def edits(self) -> dict[int, _Edit]:
        """By identity of the finding."""
        return {
            id(finding): self.edit(outcome.rule, finding)
            for outcome in self.diagnosis.outcomes
            for finding in outcome.findings
            if not finding.evidence.get("part_of")
        }

    @cached_property
    def capture(self) -> str | None:
        """One command for the arguments of every function that a diff is about."""
        names = {
            f"{Path(finding.place.file).name}:{edit.function.name}": None
            for outcome in self.diagnosis.outcomes
            for finding in outcome.findings
            if (edit := self.edits.get(id(finding))) and edit.function and finding.place
        }
        command = self.diagnosis.facts.get("command", "")
        return _commands.capture(command, list(names), self.diagnosis.run)


def with_remedies(
    diagnosis: Diagnosis,
    read_source: ReadSource,
    folder: Path | None = None,
    run: Run | None = None,
) -> Diagnosis:
    """The diagnosis with a remedy for each finding that is nobody else's part, and a table `pages`.

    Args:
        read_source: gives a file as it ran, or says why not; then there is no diff for its lines.
        folder: where commands are typed and diffs applied; the working directory if None.
        run: whose counted operators tell sizes and rule out what does not fit.
    """
    maker = _Maker(diagnosis, read_source, folder or Path.cwd(), run)
    outcomes = tuple(_outcome(maker, outcome) for outcome in diagnosis.outcomes)
    wanted = [
        name
        for outcome in outcomes
        for finding in outcome.findings
        if finding.remedy
        for name in finding.remedy.pages
    ]
    tables = {**diagnosis.tables, "pages": pages_table(list(dict.fromkeys(wanted)))}
    return replace(diagnosis, outcomes=outcomes, tables=tables)


def pages_table(names: list[str]) -> Table:
    """The pages of these names (`rewrites/moe_dispatch`)."""
    columns = tuple(Column(name) for name in ("name", "what", "title", "text"))
    rows = []
    for name in names:
        room, _, file = name.partition("/")
        found = page(room, file)
        if found is not None:
            rows.append((name, found.what, found.title, found.text))
    return Table(columns, tuple(rows))


def _outcome(maker: _Maker, outcome: Outcome) -> Outcome:
    findings = tuple(
        replace(finding, remedy=maker.remedy(outcome.rule, finding, maker.edits[id(finding)]))
        if id(finding) in maker.edits
        else finding
        for finding in outcome.findings
    )
    return replace(outcome, findings=findings)


def _edited(
    data: bytes, names: tuple[str, ...], line: int, file: str, seen: dict[int, list[OpCost]]
) -> _Edit:
    from perfkit.fixes._apply import fixed
    from perfkit.fixes._codemod import chosen

    outcome = fixed(data, chosen(names, ()), unsafe=True, at=(line,), seen=seen)
    by_hand = tuple(dict.fromkeys(note.text for note in outcome.advice))
    if outcome.skipped:
        return _Edit(why_not=f"No diff was made: the file was {outcome.skipped}.")
    if not outcome.changed:
        return _Edit(by_hand=by_hand)
    applied = tuple(dict.fromkeys(note.fix for note in outcome.changed))
    diff, why_not = outcome.diff(file.lstrip("/")), ""
    if diff.count("\n") > _MOST_LINES or len(diff) > _MOST_CHARACTERS:
        why_not = (
            f"The diff has {diff.count(chr(10))} lines; without --write the command below shows it."
        )
        diff = ""
    return _Edit(
        fixes=applied,
        diff=diff,
        safe=all(note.safe for note in outcome.changed),
        check=tuple(dict.fromkeys(note.text for note in outcome.changed if note.text)),
        by_hand=by_hand,
        function=function_at(data, line),
        why_not=why_not,
    )


def _key(one: Page) -> str:
    return f"{one.room}/{one.names[0]}"
