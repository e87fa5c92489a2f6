"""Every rule with what it concluded: found, could not look, clear, not applicable, crashed."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis, Outcome
from perfkit.report import _words
from perfkit.report._findings import Ranked, is_part, ranked
from perfkit.report.blocks import Block, Check, Outcomes

ORDER = 14
_STATES = ("found", "error", "not-observable", "clear", "not-applicable")
"""What asks for attention first."""
_LINKS = 6


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no rule was asked."""
    if not diagnosis.outcomes:
        return None
    items = ranked(diagnosis)
    checks = tuple(_check(outcome, items) for outcome in diagnosis.outcomes)
    counts = tuple(
        (state, _words.STATES[state], sum(check.state == state for check in checks))
        for state in _STATES
    )
    told = [f"{count} {words}" for _, words, count in counts if count]
    lead = f"{len(checks)} rules were asked: {', '.join(told)}."
    return Block("outcomes", "What the rules say", (Outcomes(counts, checks),), lead, "Outcomes")


def _check(outcome: Outcome, items: list[Ranked]) -> Check:
    mine = [item for item in items if item.rule == outcome.rule]
    own = [item for item in mine if not is_part(item.finding)]
    owners = dict.fromkeys(
        str(item.finding.evidence["part_of"]) for item in mine if is_part(item.finding)
    )
    words = [outcome.reason] if outcome.reason else []
    if mine and not own:
        words = [f"{_findings(len(mine))}, counted as part of {', '.join(owners)}"]
    elif mine:
        words = [_findings(len(mine)), *words]
    links = tuple((item.anchor, item.where) for item in own[:_LINKS])
    return Check(outcome.rule, outcome.state, "; ".join(words) or "no reason was given", links)


def _findings(count: int) -> str:
    return "1 finding" if count == 1 else f"{count} findings"
