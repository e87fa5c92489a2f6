"""Findings that are gone, new, or remained; and those of which nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.compare.findings import finding_changes
from perfkit.model.diagnosis import Outcome, State
from tests.compare.pictures import diagnosis, finding, outcome


def states(before: Outcome, after: Outcome | None) -> list[str]:
    left = diagnosis(outcomes=(before,))
    right = diagnosis(outcomes=(after,) if after else ())
    return [change.state for change in finding_changes(left, right)]


@pytest.mark.parametrize("state", ["not-observable", "error"])
def test_a_rule_that_could_not_look_has_not_found_it_gone(state: State) -> None:
    left = diagnosis(outcomes=(outcome("r", finding(3)),))
    right = diagnosis(outcomes=(outcome("r", state=state, reason="no trace"),))
    (change,) = finding_changes(left, right)
    assert (change.state, change.why) == ("not looked at", "no trace")


def test_a_rule_that_an_older_version_did_not_have_has_not_found_it_new() -> None:
    (change,) = finding_changes(diagnosis(), diagnosis(outcomes=(outcome("r", finding(3)),)))
    assert change.state == "not looked at"
    assert "had no rule r" in change.why


def test_lines_that_another_finding_speaks_for_are_left_out() -> None:
    part = replace(finding(3), evidence={"part_of": "loop at model.py:1"})
    assert states(outcome("r", part), outcome("r")) == []


def test_what_shifted_remained() -> None:
    moved = states(outcome("r", finding(3, "x.item()")), outcome("r", finding(30, "x.item()")))
    assert moved == ["remained"]


def test_of_two_in_one_function_the_one_with_the_same_text_remained() -> None:
    before = outcome("r", finding(3, "a.item()"), finding(9, "b.item()"))
    left, right = (
        diagnosis(outcomes=(each,)) for each in (before, outcome("r", finding(4, "b.item()")))
    )
    changes = finding_changes(left, right)
    assert [(c.state, c.before.code if c.before else "") for c in changes] == [
        ("gone", "a.item()"),
        ("remained", "b.item()"),
    ]


def test_new_ones_come_first_and_the_costliest_of_them() -> None:
    before = outcome("r", finding(3, "old", 5))
    after = outcome("r", finding(4, "small", 1), finding(5, "large", 9))
    after = replace(
        after,
        findings=tuple(
            replace(each, place=replace(each.place, function=each.code))  # type: ignore[type-var]
            for each in after.findings
        ),
    )
    left, right = diagnosis(outcomes=(before,)), diagnosis(outcomes=(after,))
    told = [(c.state, c.shown.code) for c in finding_changes(left, right)]
    assert told == [("new", "large"), ("new", "small"), ("gone", "old")]


def test_a_finding_of_the_whole_step_is_the_same_one() -> None:
    whole = replace(finding(1), place=None, title="launches 384")
    again = replace(whole, title="launches 120")
    assert states(outcome("r", whole), outcome("r", again)) == ["remained"]
