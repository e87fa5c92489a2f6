"""Two diagnoses beside each other: what forbids a comparison, totals, predictions, old versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfkit.compare.comparison import compare
from perfkit.model.diagnosis import Diagnosis
from tests.compare.pictures import diagnosis, finding, outcome, point

STEPS = tuple(range(100_000, 100_012))
TWICE = tuple(2 * each for each in STEPS)
DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("fact", ["device", "gpu", "cpu", "step"])
def test_times_of_different_machines_or_steps_are_not_judged(fact: str) -> None:
    left, right = (diagnosis(steps=TWICE, facts={fact: value}) for value in "ab")
    found = compare(left, right)
    assert (found.steps.judgement, found.steps.ratio) == ("unknown", None)
    assert found.steps.reason == f"the runs differ in {fact}"
    assert found.differences[0].forbids


def test_what_may_be_the_reason_is_told_and_forbids_nothing() -> None:
    left = diagnosis(steps=TWICE, facts={"torch": "2.6", "python": "3.11"})
    right = diagnosis(steps=STEPS, facts={"torch": "2.13", "python": "3.11"})
    found = compare(left, right)
    assert [(d.name, d.before, d.after) for d in found.differences] == [("torch", "2.6", "2.13")]
    assert found.steps.judgement == "faster"


def test_what_one_run_does_not_know_is_no_difference() -> None:
    assert compare(diagnosis(facts={"gpu": "A100"}), diagnosis()).differences == ()


def test_of_two_commands_only_the_options_that_differ_are_told() -> None:
    left, right = (
        diagnosis(facts={"command": f"perfkit profile --out {out} train.py --layers 2 --users {n}"})
        for out, n in (("a", 2), ("b", 4))
    )
    (told,) = compare(left, right).differences
    assert (told.before, told.after) == ("--users 2", "--users 4")
    assert compare(left, left).differences == ()


def test_recorded_traces_are_named_otherwise_each_time() -> None:
    def of(command: str) -> Diagnosis:
        return diagnosis(facts={"command": f"perfkit analyze {command}"})

    left = of("x.before.json.gz")
    assert compare(left, of("'my traces/x after.json'")).differences == ()
    (told,) = compare(left, of("--for 'a100 pcie' y.json.gz")).differences
    assert (told.before, told.after) == ("–", "--for 'a100 pcie'")


def test_a_device_or_a_cpu_program_is_compared_by_the_step_time() -> None:
    for device in ("cuda", "cpu"):
        one = diagnosis(point(1, "x"), steps=STEPS, facts={"device": device})
        assert compare(one, one).lead == "step time"


def test_under_the_pretence_what_was_counted_leads() -> None:
    facts = {"device": "pretend-cuda", "step": "optimizer.step"}
    one = diagnosis(point(1, "x"), steps=STEPS, facts=facts)
    found = compare(one, one)
    assert (found.lead, found.to_json()["lead"]) == ("counts", "counts")
    assert compare(one, diagnosis(facts=facts, outcomes=())).lead == "step time"
    assert compare(one, diagnosis(facts=facts | {"step": "DataLoader batch"})).lead == "step time"
    assert compare(one, diagnosis(facts=facts | {"device": "cuda"})).lead == "step time"


def test_copies_waits_and_launches_are_counted_apart() -> None:
    left = diagnosis(
        point(1, "x", 3.0),
        point(2, "y", 61.0, kind="h2d", direction="h2d"),
        facts={"launches per step": "1,234"},
    )
    found = compare(left, diagnosis(facts={"launches per step": "34"}))
    told = [(total.name, total.before, total.after) for total in found.totals]
    assert told == [("syncs", 3.0, 0.0), ("copies", 61.0, 0.0), ("launches", 1234.0, 34.0)]


def test_what_nobody_looked_at_is_not_zero() -> None:
    blind = diagnosis(outcomes=(outcome("host-wait-in-step", state="not-observable"),))
    total = compare(diagnosis(point(1, "x")), blind).total("syncs")
    assert (total.before, total.after, total.change) == (1.0, None, None)


def test_predictions_of_what_is_gone_overlap_so_the_least_is_the_largest_alone() -> None:
    left = diagnosis(outcomes=(outcome("a", finding(1, "x", 10)), outcome("b", finding(2, "y", 6))))
    right = diagnosis(outcomes=(outcome("a"), outcome("b")))
    saving = compare(left, right).predicted
    assert saving is not None
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (5, 16, 32)
    assert compare(right, right).predicted is None


@pytest.mark.parametrize("version", ["diagnosis_1.json", "diagnosis_2.json"])
def test_older_versions_can_be_compared(version: str) -> None:
    old = Diagnosis.from_json(json.loads((DATA / version).read_text(encoding="utf-8")))
    found = compare(old, diagnosis(steps=STEPS))
    assert found.before == old.run
    assert {change.state for change in found.findings} <= {"gone", "not looked at"}


def test_the_json_can_be_read_back() -> None:
    left = diagnosis(point(1, "x"), steps=TWICE, outcomes=(outcome("a", finding(1, "x", 10)),))
    data = json.loads(json.dumps(compare(left, diagnosis(steps=STEPS)).to_json()))
    assert data["schema"] == "perfkit.comparison/1"
    assert data["step_time"]["judgement"] == "faster"
    assert data["lines"][0]["after"] is None
