"""Every diagnosis ever written must still open, and render, with today's code."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from perfkit.base.errors import PerfkitError
from perfkit.model.diagnosis import OPENS, SCHEMA, Diagnosis
from perfkit.report import html, markdown, terminal

OLD = sorted((Path(__file__).parents[1] / "data").glob("diagnosis_*.json"))


def test_there_is_one_of_every_schema() -> None:
    assert [path.name for path in OLD] == ["diagnosis_1.json", "diagnosis_2.json"]
    written = {json.loads(path.read_text(encoding="utf-8"))["schema"] for path in OLD}
    assert written == set(OPENS)


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_it_opens_renders_and_loses_nothing(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    diagnosis = Diagnosis.from_json(data)
    assert json.loads(json.dumps(diagnosis.to_json())) == _as_now(data)
    assert diagnosis.verdict.what in html.render(diagnosis)
    assert "model.py:20" in markdown.render(diagnosis)
    out = io.StringIO()
    terminal.render(diagnosis, Console(file=out, width=80))
    assert "model.py:20" in out.getvalue()


def _as_now(data: dict[str, Any]) -> dict[str, Any]:
    """What was written, with what later schemas added."""
    for outcome in data["outcomes"]:
        for finding in outcome["findings"]:
            finding.setdefault("remedy", None)
    return {**data, "schema": SCHEMA}


@pytest.mark.parametrize(
    "data",
    [
        [],
        {},
        "text",
        {"schema": "perfkit.diagnosis/0"},
        {"schema": "perfkit.diagnosis/1"},
        {"schema": "perfkit.diagnosis/1", "coverage": {"gaps": None}},
        {"schema": "perfkit.diagnosis/1", "coverage": 3},
        {"schema": "perfkit.diagnosis/2", "coverage": 3},
        {"schema": ["perfkit.diagnosis/2"]},
    ],
    ids=str,
)
def test_what_is_no_diagnosis_is_one_clear_error(data: object) -> None:
    with pytest.raises(PerfkitError) as caught:
        Diagnosis.from_json(data)  # type: ignore[arg-type]
    assert caught.value.hint
