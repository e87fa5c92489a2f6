"""What a page says about acting on a finding: its diff, its commands, the pages behind it."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis, Finding, Remedy
from perfkit.report._findings import Ranked, is_part
from perfkit.report.blocks import Command, Help, Leaf

_LINES = 400
_LABELS = (
    ("perfkit verify", "Prove the rewrite"),
    ("perfkit profile --out", "Capture inputs"),
    ("perfkit fix --verify", "Prove it on them"),
    ("perfkit fix", "Apply"),
    ("perfkit profile", "Measure again"),
)
"""What commands are for, in the order in which one gives them."""


def help_for(finding: Finding, diagnosis: Diagnosis) -> Help | None:
    """How to act on a finding; None where nobody looked for it."""
    remedy = finding.remedy
    if remedy is None:
        return None
    title = ""
    if remedy.diff:
        safe = "safe" if remedy.safe else "to be checked"
        title = f"Diff by {', '.join(remedy.fixes)} ({safe}), for patch -p1 in {remedy.root}"
    return Help(
        diff=tuple(remedy.diff.split("\n")[:-1][:_LINES]),
        diff_title=title,
        notes=_notes(remedy),
        commands=_commands((*remedy.apply, *remedy.verify)),
        folder=remedy.folder,
        leaves=_leaves(remedy, diagnosis),
    )


def next_commands(found: list[Ranked], diagnosis: Diagnosis) -> tuple[Command, ...]:
    """What applies the advice of the verdict, where a codemod does by the text alone.

    A number that only a run showed is for whoever reads the finding itself.
    """
    for item in found:
        remedy = item.finding.remedy
        told = bool(item.finding.fix) and item.finding.fix in diagnosis.verdict.next
        guessed = remedy is not None and any("--run" in text.split() for text in remedy.apply)
        if remedy and remedy.apply and told and not guessed and not is_part(item.finding):
            return _commands(remedy.apply)
    return ()


def _commands(texts: tuple[str, ...]) -> tuple[Command, ...]:
    ranked = sorted((_purpose(text), text) for text in texts)
    names = [*(told for _, told in _LABELS), "Run"]
    return tuple(Command(names[position], text) for position, text in ranked)


def _purpose(command: str) -> int:
    """Position in `_LABELS`; behind them what is none of these."""
    starts = (n for n, (start, _) in enumerate(_LABELS) if command.startswith(start))
    return next(starts, len(_LABELS))


def _notes(remedy: Remedy) -> tuple[tuple[str, str], ...]:
    notes = [("Before applying it", text) for text in remedy.check]
    notes += [("By hand", text) for text in remedy.by_hand]
    return (*notes, *((("", remedy.no_diff),) if remedy.no_diff else ()))


def _leaves(remedy: Remedy, diagnosis: Diagnosis) -> tuple[Leaf, ...]:
    leaves = []
    if remedy.not_when:
        leaves.append(Leaf("When not to act", _lines(remedy.not_when)))
    if remedy.wins:
        leaves.append(Leaf("When the rewrite wins, and when not", _lines(remedy.wins)))
    table = diagnosis.tables.get("pages")
    pages = {str(row.get("name")): row for row in table.records()} if table else {}
    for name in remedy.pages:
        row = pages.get(name, {})
        if row.get("text"):
            title = f"The page of the {row.get('what')} {name.rpartition('/')[2]}"
            leaves.append(Leaf(title, _lines(str(row["text"]))))
    return tuple(leaves)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")[:_LINES])
