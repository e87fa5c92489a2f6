"""The page benchmark: its budgets, its rows, and that it runs."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
bench: Any = importlib.import_module("page")
FOUND = {
    "page": "x", "size": 2.5, "write": 0.1, "paint": 90.0, "usable": 300.0, "busy": 0.0,
    "chart": 400.0, "timeline": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "kept"),
    [({}, True), ({"size": 6.1}, False), ({"usable": 1_501.0}, False), ({"paint": None}, True)],
)
def test_both_budgets_must_be_kept(changed: dict[str, Any], kept: bool) -> None:
    assert bench.within({**FOUND, **changed}) is kept


def test_what_a_page_does_not_have_is_a_dash() -> None:
    assert bench.line(FOUND).split() == ["x", "2.50", "0.10", "90", "300", "0", "400", "–"]


@pytest.mark.slow
def test_a_recorded_run_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("playwright.sync_api")
    if shutil.which("chromium") is None and shutil.which("chromium-browser") is None:
        pytest.skip("Chromium is not installed")
    found = diagnose(ctr_run(), _engine.outcome).to_json()
    (tmp_path / "diagnosis.json").write_text(json.dumps(found), encoding="utf-8")
    told = tmp_path / "rows.json"
    monkeypatch.setattr(
        sys, "argv", ["page.py", str(tmp_path), "--rounds", "1", "--json", str(told)]
    )
    assert bench.main() in (0, bench.OVER_BUDGET)
    (row,) = json.loads(told.read_text(encoding="utf-8"))
    assert 1 < row["size"] < bench.BUDGET_MIB
    assert row["usable"] > 0
    assert row["timeline"] is None
    assert tmp_path.name[:20] in capsys.readouterr().out
