"""Every diagnosis ever written must still open, and render, with today's code."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from perfkit.base.errors import PerfkitError
from perfkit.model.diagnosis import Diagnosis
from perfkit.report import html, markdown, terminal

OLD = sorted((Path(__file__).parents[1] / "data").glob("diagnosis_*.json"))


def test_there_is_one_of_the_first_schema() -> None:
    assert [path.name for path in OLD][:1] == ["diagnosis_1.json"]


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_it_opens_renders_and_loses_nothing(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    diagnosis = Diagnosis.from_json(data)
    assert json.loads(json.dumps(diagnosis.to_json())) == data
    assert diagnosis.verdict.what in html.render(diagnosis)
    assert "model.py:20" in markdown.render(diagnosis)
    out = io.StringIO()
    terminal.render(diagnosis, Console(file=out, width=80))
    assert "model.py:20" in out.getvalue()


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
    ],
    ids=str,
)
def test_what_is_no_diagnosis_is_one_clear_error(data: object) -> None:
    with pytest.raises(PerfkitError) as caught:
        Diagnosis.from_json(data)  # type: ignore[arg-type]
    assert caught.value.hint
