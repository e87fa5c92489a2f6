"""The summary of outcomes: every rule with its reason, and links to what has a card."""

from __future__ import annotations

from perfkit.model.diagnosis import Coverage, Diagnosis, Outcome, Verdict
from perfkit.report import _sections, html
from perfkit.report.blocks import Outcomes
from perfkit.report.sections.outcomes import section
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run

CTR = diagnose(ctr_run(), _engine.outcome)


def _outcomes(diagnosis: Diagnosis) -> Outcomes:
    block = section(diagnosis)
    assert block is not None
    (part,) = block.parts
    assert isinstance(part, Outcomes)
    return part


def test_it_is_silent_where_no_rule_was_asked() -> None:
    assert section(Diagnosis("bare", Verdict("a", "b", "c"), Coverage(0, "x"))) is None


def test_every_rule_is_there_once_with_its_state_and_reason() -> None:
    part = _outcomes(CTR)
    assert {check.rule: check.state for check in part.checks} == {
        outcome.rule: outcome.state for outcome in CTR.outcomes
    }
    assert all(check.reason for check in part.checks)
    assert sum(count for _, _, count in part.counts) == len(CTR.outcomes)


def test_a_rule_without_a_reason_says_so() -> None:
    bare = Diagnosis("x", Verdict("a", "b", "c"), Coverage(0, "x"), (Outcome("r", "clear"),))
    assert _outcomes(bare).checks[0].reason == "no reason was given"


def test_findings_that_others_speak_for_name_them_and_have_no_link() -> None:
    by_rule = {check.rule: check for check in _outcomes(CTR).checks}
    assert by_rule["per-expert-loop"].links == (("finding-1", "model.py:18"),)
    assert "counted as part of per-expert-loop" in by_rule["host-wait-in-step"].reason or (
        by_rule["host-wait-in-step"].links
    )


def test_a_rule_has_an_address_that_no_section_has() -> None:
    sections = {block.anchor for block in _sections.blocks(CTR)}
    assert sections.isdisjoint(outcome.rule for outcome in CTR.outcomes)
    assert 'id="host-wait-in-step" data-state="found"' in html.render(CTR)
