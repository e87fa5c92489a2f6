"""What each format prints, against texts kept beside the tests, and SARIF against its schema's rules."""

from __future__ import annotations

import json
import re

import pytest

from perfkit.lint._run import lint_text
from perfkit.lint._sarif import sarif
from perfkit.lint._settings import Settings
from perfkit.lint._show import as_json, github, text

PROGRAM = """\
import torch


class Router(torch.nn.Module):
    def forward(self, x, chosen):
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            mask = chosen == number
            if mask.any():
                out[mask] = expert(x[mask])
        count = x.sum().item()  # perfkit: allow PK101 shown once a day
        return out, count  # perfkit: allow
"""
BROKEN = "import torch\ndef f(:\n"


@pytest.fixture
def results():
    return [
        lint_text(PROGRAM, "src/router.py"),
        lint_text(BROKEN, "src/ü b.py"),
        lint_text("x = 1\n", "src/clean.py"),
    ]


def portable(words: str) -> str:
    """Without what differs between Python versions: the parser's own words."""
    return re.sub(r"does not parse: [^\"\n:]*", "does not parse: REASON", words)


def test_text(results, golden):
    golden("lint/text.txt", portable(text(results, colour=False)))


def test_text_says_when_nothing_was_found():
    assert (
        text([lint_text("x = 1\n", "a.py")], colour=False) == "nothing found in 1 file, 2 lines\n"
    )


def test_colour_is_only_added(results):
    coloured = text(results, colour=True)
    assert coloured != text(results, colour=False)
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == text(results, colour=False)


def test_source_text_cannot_steer_the_terminal():
    hostile = "import torch\n\n\ndef f(x: torch.Tensor):\n    return x['\x1b[31m'].sum().item()\n"
    shown = text([lint_text(hostile, "a.py")], colour=False)
    assert "\x1b" not in shown
    assert "PK101" in shown


def test_json(results, golden):
    document = as_json(results)
    assert json.loads(document)["schema"] == "perfkit.lint/1"
    golden("lint/findings.json", portable(document))


def test_github(results, golden):
    golden("lint/github.txt", portable(github(results)))


def test_github_commands_stay_on_one_line():
    code = "import torch\n\n\ndef f(x: torch.Tensor):\n    return (x\n        .sum() % 3).item()\n"
    lines = github([lint_text(code, "a,b:c%.py")]).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("::warning file=a%2Cb%3Ac%25.py,line=5,")


def test_sarif_holds_what_the_standard_asks_for(results):
    document = json.loads(sarif(results, "1.2.3"))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["level"] in ("none", "note", "warning", "error")
        region = one["locations"][0]["physicalLocation"]["region"]
        assert all(isinstance(value, int) and value >= 1 for value in region.values())
    (unread,) = run["invocations"][0]["toolExecutionNotifications"]
    where = unread["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert where == "src/%C3%BC%20b.py"


def marks(program: str) -> list[str]:
    document = json.loads(sarif([lint_text(program, "src/router.py")], "0"))
    found = document["runs"][0]["results"]
    return [mark for one in found for mark in one["partialFingerprints"].values()]


def test_a_findings_mark_stays_when_lines_move_and_is_its_own():
    twice = "import torch\n\n\ndef f(x: torch.Tensor):\n    x.item()\n    return x.item()\n"
    first, second = marks(twice)
    assert first != second
    assert marks("# a line more\n" + twice) == [first, second]
    assert marks(twice.replace("x.item()", "x.max().item()")) != [first, second]


def test_sarif_reads_back_through_an_independent_model(results):
    models = pytest.importorskip("sarif_pydantic", reason="sarif-pydantic is not installed")
    read = models.Sarif.model_validate_json(sarif(results, "1.2.3"))
    assert len(read.runs[0].results or []) == sum(len(r.findings) for r in results) - 1


def test_sarif_against_its_schema(results, pytestconfig):
    """The standard's own schema, where a copy of it is named: it is not ours to ship.

    Microsoft's `sarif-multitool` has one, `sarif-2.1.0.json`, and judges more than a schema can.
    """
    import os

    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    path = os.environ.get("PERFKIT_SARIF_SCHEMA")
    if path is None:
        pytest.skip("PERFKIT_SARIF_SCHEMA names no copy of the SARIF 2.1.0 schema")
    with open(path, encoding="utf-8") as file:
        jsonschema.validate(json.loads(sarif(results, "1.2.3")), json.load(file))


def test_paths_that_are_no_text_are_shown_all_the_same():
    strange = [lint_text(BROKEN, "\udcff\x1b.py")]
    assert "\x1b" not in text(strange, colour=False)
    for words in (
        text(strange, colour=True),
        github(strange),
        as_json(strange),
        sarif(strange, "0"),
    ):
        assert words.encode()
    assert "%FF%1B.py" in sarif(strange, "0")


def test_every_format_takes_no_findings_at_all():
    nothing = [lint_text("x = 1\n", "a.py", Settings())]
    assert github(nothing) == ""
    assert json.loads(as_json(nothing))["findings"] == []
    assert json.loads(sarif(nothing, "0"))["runs"][0]["results"] == []
