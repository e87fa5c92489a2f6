"""Findings of two runs beside each other: what is gone, what is new, what remained."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from perfkit.model.diagnosis import Diagnosis, Finding


@dataclass(frozen=True)
class FindingChange:
    """One finding of a rule before and after; None where it is not there.

    `why` says what the other run's rule concluded where the finding is missing there: a rule that
    could not look has not found the problem gone.
    """

    rule: str
    before: Finding | None
    after: Finding | None
    why: str = ""

    @property
    def state(self) -> str:
        """ "gone", "new", "remained", or "not looked at" where nobody can tell."""
        if self.before is not None and self.after is not None:
            return "remained"
        if self.why:
            return "not looked at"
        return "new" if self.before is None else "gone"

    @property
    def shown(self) -> Finding:
        finding = self.after or self.before
        assert finding is not None
        return finding


def finding_changes(before: Diagnosis, after: Diagnosis) -> tuple[FindingChange, ...]:
    """Every finding of both, by rule; the costliest first within each state."""
    left, right = _by_rule(before), _by_rule(after)
    changes: list[FindingChange] = []
    for rule in dict.fromkeys((*left, *right)):
        pairs, old, new = _paired(left.get(rule, []), right.get(rule, []))
        changes += [FindingChange(rule, *pair) for pair in pairs]
        changes += [FindingChange(rule, one, None, _abstained(after, rule)) for one in old]
        changes += [FindingChange(rule, None, one, _abstained(before, rule)) for one in new]
    return tuple(sorted(changes, key=lambda change: (_ORDER[change.state], -_likely(change))))


_ORDER = {"new": 0, "gone": 1, "not looked at": 2, "remained": 3}


def _by_rule(diagnosis: Diagnosis) -> dict[str, list[Finding]]:
    """Findings that stand for themselves: the lines that another one speaks for are left out."""
    found: dict[str, list[Finding]] = {}
    for rule, finding in diagnosis.findings():
        if not finding.evidence.get("part_of"):
            found.setdefault(rule, []).append(finding)
    return found


def _paired(
    before: list[Finding], after: list[Finding]
) -> tuple[list[tuple[Finding, Finding]], list[Finding], list[Finding]]:
    """Same text of the line, then the same function, then whatever the rule found: nearest first."""
    pairs: list[tuple[Finding, Finding]] = []
    for key in _KEYS:
        for one in list(before):
            alike = [other for other in after if key(one) and key(one) == key(other)]
            if alike:
                other = min(alike, key=lambda each: abs(_line(each) - _line(one)))
                pairs.append((one, other))
                before = [each for each in before if each is not one]
                after = [each for each in after if each is not other]
    return pairs, before, after


def _place(finding: Finding) -> tuple[Hashable, ...]:
    if finding.place is None:
        return "whole step", finding.evidence.get("rank"), finding.evidence.get("ops")
    return _file(finding), finding.place.function


def _with_code(finding: Finding) -> tuple[Hashable, ...]:
    return (*_place(finding), " ".join(finding.code.split())) if finding.code else ()


def _at_line(finding: Finding) -> tuple[Hashable, ...]:
    return (*_place(finding), _line(finding))


_KEYS: tuple[Callable[[Finding], tuple[Hashable, ...]], ...] = (_with_code, _at_line, _place)


def _file(finding: Finding) -> str:
    return finding.place.file.replace("\\", "/").rsplit("/", 1)[-1] if finding.place else ""


def _line(finding: Finding) -> int:
    return finding.place.line if finding.place else 0


def _abstained(diagnosis: Diagnosis, rule: str) -> str:
    """Why the rule says nothing there; empty where it looked."""
    for outcome in diagnosis.outcomes:
        if outcome.rule == rule:
            if outcome.state in ("not-observable", "error"):
                return outcome.reason or "no reason was given"
            return ""
    return f"that version of perfkit had no rule {rule}"


def _likely(change: FindingChange) -> int:
    saving = change.shown.saving
    return saving.likely_ns if saving else -1
