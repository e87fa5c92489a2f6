"""A diagnosis as SARIF: every result has a line, nothing is lost, and what is new says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perfkit.compare.comparison import compare
from perfkit.exports.sarif import sarif, sarif_since
from perfkit.model.diagnosis import Diagnosis, Finding
from perfkit.model.table import Column, Table
from perfkit.rules import _engine, diagnose
from tests.compare.pictures import diagnosis, finding, outcome
from tests.sample_runs import ctr_run, hostile_run

ROOT = Path("/p")


def run_of(found: Diagnosis, root: Path = ROOT) -> dict[str, Any]:
    document = json.loads(sarif(found, "1.2", root))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def notes_of(run: dict[str, Any]) -> list[str]:
    (invocation,) = run["invocations"]
    return [note["message"]["text"] for note in invocation["toolExecutionNotifications"]]


def test_a_clear_diagnosis_has_no_results() -> None:
    run = run_of(diagnosis(outcomes=(outcome("r"),)))
    assert (run["results"], notes_of(run)) == ([], [])


def test_what_has_no_line_is_a_note_because_services_refuse_it_as_a_result() -> None:
    whole = replace(finding(1), place=None)
    run = run_of(diagnosis(outcomes=(outcome("r", whole),)))
    assert run["results"] == []
    assert notes_of(run) == ["r: waits: do not"]


def test_a_rule_that_could_not_look_is_a_note() -> None:
    blind = diagnosis(outcomes=(outcome("r", state="not-observable", reason="no trace"),))
    assert notes_of(run_of(blind)) == ["r could not look: no trace"]


def test_a_result_names_rule_line_function_and_saving() -> None:
    run = run_of(diagnosis(outcomes=(outcome("r", finding(7, "x.item()", 1_000_000)),)))
    (result,) = run["results"]
    assert result["ruleId"] == run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "r"
    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "model.py"
    assert physical["region"] == {"startLine": 7}
    assert result["message"]["text"] == "waits (estimated 500 µs to 2 ms per step): do not"
    assert result["level"] == "warning"


def test_low_confidence_and_parts_of_others_are_notes() -> None:
    low = replace(finding(1), confidence="low")
    part = replace(finding(2), evidence={"part_of": "loop"})
    run = run_of(diagnosis(outcomes=(outcome("r", low, part),)))
    assert [result["level"] for result in run["results"]] == ["note", "note"]


def test_the_mark_stays_when_the_line_moves_and_the_number_changes() -> None:
    def mark(found: Finding) -> object:
        (result,) = run_of(diagnosis(outcomes=(outcome("r", found),)))["results"]
        return result["partialFingerprints"]

    one = finding(7, "x.item()")
    assert mark(one) == mark(replace(finding(90, "x.item()"), title="waits 16 times"))
    assert mark(one) != mark(finding(7, "y.item()"))


def test_files_outside_of_the_folder_keep_their_whole_address() -> None:
    (result,) = run_of(diagnosis(outcomes=(outcome("r", finding(7)),)), Path("/q"))["results"]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location["uri"] == "file:///p/model.py"


def test_a_rule_carries_its_page() -> None:
    page = Table(
        tuple(map(Column, ("name", "what", "title", "text"))),
        (("rules/host_wait", "rule", "Waits.", "Waits.\n\nWhy it hurts"),),
    )
    found = replace(diagnosis(outcomes=(outcome("host-wait", finding(1)),)), tables={"pages": page})
    (rule,) = run_of(found)["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "Waits."
    assert "Why it hurts" in rule["help"]["markdown"]


def test_what_is_new_unchanged_and_absent_since_another_run() -> None:
    before = diagnosis(outcomes=(outcome("r", finding(1, "a")), outcome("s", finding(2, "b"))))
    after = diagnosis(outcomes=(outcome("r", finding(5, "a")), outcome("s"), outcome("t")))
    after = replace(after, outcomes=(*after.outcomes[:2], outcome("t", finding(9, "c"))))
    before = replace(before, outcomes=(*before.outcomes, outcome("t")))
    text = sarif_since(before, after, compare(before, after), "1.2", ROOT)
    results = json.loads(text)["runs"][0]["results"]
    told = {result["ruleId"]: result["baselineState"] for result in results}
    assert told == {"r": "unchanged", "s": "absent", "t": "new"}


@pytest.mark.parametrize("make", [ctr_run, hostile_run])
def test_every_finding_of_a_whole_run_is_told_once(make: Any) -> None:
    found = diagnose(make(), _engine.outcome)
    run = run_of(found)
    placed = [f for _, f in found.findings() if f.place is not None]
    assert len(run["results"]) == len(placed) > 0
    assert all(r["locations"][0]["physicalLocation"]["region"] for r in run["results"])
