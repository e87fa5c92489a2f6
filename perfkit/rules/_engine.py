"""Runs every rule and turns what comes back, or up, into an outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perfkit.base import plugins
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Outcome
from perfkit.model.run import Run

ROOM = "perfkit.rules"


@dataclass(frozen=True)
class Looked:
    """A rule's answer: what it looked at, for people, and what it found there.

    No findings means clear, so a rule that could not look raises `NotObservable` instead.
    """

    at: str
    findings: tuple[Finding, ...] = ()


Rule = Callable[[Run], Looked]


def rules() -> dict[str, Rule]:
    """Every rule by its id as JSON spells it: `host-wait-in-step`."""
    return {_id(name): getattr(module, name) for name, module in plugins.modules(ROOM).items()}


def outcomes(run: Run, judge: Callable[[str, Rule, Run], Outcome]) -> tuple[Outcome, ...]:
    """One outcome per rule. `judge` is `outcome`, or `safe_outcome` where one rule may not sink all."""
    return tuple(judge(rule_id, rule, run) for rule_id, rule in rules().items())


def outcome(rule_id: str, rule: Rule, run: Run) -> Outcome:
    """What one rule concludes; a crash in it escapes (tests want to see it)."""
    try:
        looked = rule(run)
    except NotApplicable as reason:
        return Outcome(rule_id, "not-applicable", str(reason))
    except NotObservable as reason:
        return Outcome(rule_id, "not-observable", str(reason))
    ranked = sorted(looked.findings, key=lambda f: -(f.saving.likely_ns if f.saving else -1))
    return Outcome(rule_id, "found" if ranked else "clear", looked.at, tuple(ranked))


def safe_outcome(rule_id: str, rule: Rule, run: Run) -> Outcome:
    """What one rule concludes; a crash in it is that rule's `error` and nobody else's."""
    try:
        return outcome(rule_id, rule, run)
    except Exception as crash:  # noqa: BLE001 - here alone a bug becomes an outcome
        return Outcome(rule_id, "error", f"this rule crashed: {type(crash).__name__}: {crash}")


def _id(name: str) -> str:
    return name.replace("_", "-")
