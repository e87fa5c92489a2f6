"""How rules become outcomes: found, clear, not observable, crashed."""

from __future__ import annotations

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.rules import _engine
from perfkit.rules._engine import Looked


def _crash(run: Run) -> Looked:
    raise KeyError("no such column")


def _blind(run: Run) -> Looked:
    raise NotObservable("nobody looked")


def _three(run: Run) -> Looked:
    savings = (None, Saving(1, 2, 3, "m"), Saving(4, 5, 6, "m"))
    return Looked("2 steps", tuple(Finding(f"{s and s.likely_ns}", saving=s) for s in savings))


def test_a_rule_that_found_nothing_is_clear_and_says_where_it_looked() -> None:
    outcome = _engine.outcome("r", lambda run: Looked("2 steps"), Run("x"))
    assert (outcome.state, outcome.reason, outcome.findings) == ("clear", "2 steps", ())


def test_a_rule_that_could_not_look_is_not_observable_with_its_reason() -> None:
    outcome = _engine.outcome("r", _blind, Run("x"))
    assert (outcome.state, outcome.reason) == ("not-observable", "nobody looked")


def test_a_rule_about_what_the_run_does_not_have_misses_nothing() -> None:
    def elsewhere(run: Run) -> Looked:
        raise NotApplicable("no device was sampled")

    outcome = _engine.outcome("r", elsewhere, Run("x"))
    assert (outcome.state, outcome.reason) == ("not-applicable", "no device was sampled")


def test_findings_are_ranked_and_those_without_an_estimate_come_last() -> None:
    outcome = _engine.outcome("r", _three, Run("x"))
    assert outcome.state == "found"
    assert [finding.title for finding in outcome.findings] == ["5", "2", "None"]


def test_a_crash_escapes_where_tests_look_and_is_an_outcome_where_users_do() -> None:
    with pytest.raises(KeyError):
        _engine.outcome("r", _crash, Run("x"))
    outcome = _engine.safe_outcome("r", _crash, Run("x"))
    assert outcome.state == "error"
    assert outcome.reason == "this rule crashed: KeyError: 'no such column'"
