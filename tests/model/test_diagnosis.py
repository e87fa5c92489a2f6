"""The machine interface."""

from __future__ import annotations

import json

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.model.diagnosis import (
    Coverage,
    Diagnosis,
    Finding,
    Outcome,
    Remedy,
    Saving,
    Verdict,
)
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table


def diagnosis() -> Diagnosis:
    costly = Finding(
        "b", Frame("/m.py", 3, "f"), saving=Saving(1, 20, 30, "counted"), evidence={"per_step": 2}
    )
    remedy = Remedy(
        ("any_guard",), "--- a\n", apply=("perfkit fix m.py:3",), pages=("fixes/any_guard",)
    )
    cheap = Finding("a", saving=Saving(1, 2, 3, "counted"), remedy=remedy)
    return Diagnosis(
        run="r",
        verdict=Verdict("w", "y", "n"),
        coverage=Coverage(3, "pretend", overhead={"deep": None}, gaps=("no GPU",)),
        outcomes=(
            Outcome("rule", "found", None, (cheap, Finding("c"), costly)),
            Outcome("blind", "not-observable", "why"),
        ),
        tables={"t": Table((Column("x", "ns"),), ((None,),))},
        facts={"torch": "2.13"},
    )


def test_json_and_back():
    data = json.loads(json.dumps(diagnosis().to_json()))
    assert next(iter(data)) == "schema" and data["schema"] == "perfkit.diagnosis/2"
    assert Diagnosis.from_json(data) == diagnosis()


@pytest.mark.parametrize(
    "document", [{}, {"schema": "perfkit.diagnosis/99"}, {"schema": "perfkit.diagnosis/2"}, []]
)
def test_what_is_no_diagnosis_is_the_users_to_mend(document):
    with pytest.raises(PerfkitError):
        Diagnosis.from_json(document)


def test_what_the_first_schema_said_opens_without_remedies():
    data = json.loads(json.dumps(diagnosis().to_json()))
    data["schema"] = "perfkit.diagnosis/1"
    for outcome in data["outcomes"]:
        for finding in outcome["findings"]:
            del finding["remedy"]
    opened = Diagnosis.from_json(data)
    assert opened.schema == "perfkit.diagnosis/2"
    assert [finding.remedy for _, finding in opened.findings()] == [None, None, None]


def test_findings_are_ranked_by_likely_saving_and_unknown_comes_last():
    assert [finding.title for _, finding in diagnosis().findings()] == ["b", "a", "c"]


def test_a_saving_is_ordered():
    with pytest.raises(ValueError, match="ordered"):
        Saving(3, 2, 1, "wrong")
