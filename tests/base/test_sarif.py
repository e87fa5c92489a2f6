"""What every SARIF document of ours has in common."""

from __future__ import annotations

import json

import pytest

from perfkit.base.sarif import document, location, marks, rule, uri


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/train.py", "src/train.py"),
        ("/home/ada/a b.py", "file:///home/ada/a%20b.py"),
        ("src/50%#?.py", "src/50%25%23%3F.py"),
        ("src/\udcff.py", "src/%FF.py"),
    ],
)
def test_a_path_becomes_an_address(path: str, expected: str) -> None:
    assert uri(path) == expected


def test_marks_differ_between_alike_findings_and_stay_for_each() -> None:
    first = marks([("a", "b"), ("a", "b"), ("ab", "")])
    values = [each["partialFingerprints"]["perfkitFinding/v1"] for each in first]
    assert len(set(values)) == 3
    assert marks([("a", "b")]) == first[:1]


def test_a_name_that_is_the_id_is_not_repeated() -> None:
    assert rule("slow-loop", "", "", "")["id"] == "slow-loop"
    assert "name" not in rule("slow-loop", "", "", "")
    assert rule("slow-loop", "", "", "", "PK1")["name"] == "slow-loop"


def test_a_document_names_its_tool_and_is_valid_json() -> None:
    rules = [rule("slow-loop", "A loop.", "A loop.\n\nWhy.", "do not", "PK1")]
    place = location("a.py", {"startLine": 3}, "forward")
    text = document("perfkit", "1.2", rules, [{"ruleId": "PK1", "locations": [place]}], [])
    run = json.loads(text)["runs"][0]
    assert run["tool"]["driver"]["name"] == "perfkit"
    assert run["tool"]["driver"]["rules"][0]["id"] == "PK1"
    assert run["results"][0]["locations"][0]["logicalLocations"][0]["kind"] == "function"
    assert "logicalLocations" not in location("a.py", {"startLine": 3}, "")
