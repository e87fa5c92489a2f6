"""Programs nobody here wrote, profiled unmodified: no crash, and every steady synchronisation found.

The benchmark's own arithmetic is tested first, on reports made up here.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRUTH = ROOT / "benchmarks" / "third_party" / "truth"
NAMES = sorted(path.stem for path in TRUTH.glob("*.json"))
REQUIREMENTS = "benchmarks/third_party/requirements.txt"


def _benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "third_party_benchmark", ROOT / "benchmarks" / "third_party.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


benchmark = _benchmark()


def _truth(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((TRUTH / f"{name}.json").read_text())
    return loaded


def _diagnosis(*rows: tuple[str, int, bool]) -> dict[str, Any]:
    names = ("file", "line", "op", "kind", "phase", "certain")
    table = [[file, line, "aten::item", "item", "forward", certain] for file, line, certain in rows]
    return {"tables": {"sync_points": {"columns": [{"name": n} for n in names], "rows": table}}}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A made-up program with one line of each sort; returns the path of its script."""
    script = tmp_path / "made_up.py"
    script.write_text("a = x.item()\nb = (\n    y.item()\n)\nc = cpu.item()\nd = once.item()\n")
    entries = [(1, True, "step"), (2, True, "step"), (5, False, None), (6, True, "after")]
    text = script.read_text().splitlines()
    lines = [
        {"file": script.name, "line": at, "text": text[at - 1], "sync": sync, "when": when}
        for at, sync, when in entries
    ]
    (tmp_path / "truth").mkdir()
    known = {"program": script.name, "lines": lines, "groups": []}
    (tmp_path / "truth" / "made_up.json").write_text(json.dumps(known))
    monkeypatch.setattr(benchmark, "HERE", tmp_path)
    return str(script)


def test_nothing_reported_has_no_precision_and_finds_nothing(program: str, tmp_path: Path) -> None:
    score = benchmark.score("made_up", _diagnosis(), tmp_path)
    assert (score.precision, score.recall) == (None, 0.0)
    assert score.missed == ["made_up.py:1", "made_up.py:2"]


def test_a_line_that_waits_once_is_right_but_not_required(program: str, tmp_path: Path) -> None:
    score = benchmark.score("made_up", _diagnosis((program, 6, True)), tmp_path)
    assert (score.precision, score.recall) == (1.0, 0.0)


def test_any_line_of_a_statement_counts_for_it_once(program: str, tmp_path: Path) -> None:
    found = _diagnosis((program, 1, True), (program, 3, True), (program, 4, True))
    score = benchmark.score("made_up", found, tmp_path)
    assert (score.right, score.precision, score.recall) == (2, 1.0, 1.0)


def test_a_reported_look_alike_is_wrong_and_named(program: str, tmp_path: Path) -> None:
    score = benchmark.score("made_up", _diagnosis((program, 1, True), (program, 5, True)), tmp_path)
    assert score.precision == 0.5
    assert score.lookalikes == score.wrong == ["made_up.py:5"]


def test_an_uncertain_report_is_neither_right_nor_wrong(program: str, tmp_path: Path) -> None:
    score = benchmark.score("made_up", _diagnosis((program, 5, False)), tmp_path)
    assert (score.precision, score.uncertain) == (None, ["made_up.py:5"])


def test_a_moved_line_is_found_by_its_text(program: str, tmp_path: Path) -> None:
    script = Path(program)
    script.write_text("import torch\n\n" + script.read_text())
    score = benchmark.score("made_up", _diagnosis((program, 3, True)), tmp_path)
    assert score.right == 1 and not score.stale


def test_a_line_whose_text_is_gone_is_stale_not_missed(program: str, tmp_path: Path) -> None:
    script = Path(program)
    script.write_text(script.read_text().replace("x.item()", "x"))
    score = benchmark.score("made_up", _diagnosis(), tmp_path)
    assert score.stale == ["made_up.py:1"] and score.missed == ["made_up.py:2"]


@pytest.mark.parametrize("name", NAMES)
def test_truth_says_how_often_each_line_waits_and_why(name: str) -> None:
    known = _truth(name)
    assert (ROOT / "benchmarks" / "third_party" / known["program"]).is_file()
    for entry in known["lines"]:
        assert entry["text"] and entry["why"]
        if entry["sync"]:
            assert entry["when"] in ("step", "request", "first", "after")
            assert entry["direction"] in ("d2h", "h2d", "none") and entry["kind"] and entry["op"]
    assert any(entry["sync"] and entry["when"] == "step" for entry in known["lines"])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_program_is_profiled_unmodified_and_its_truth_found(name: str, tmp_path: Path) -> None:
    _skip_unless_installed(_truth(name)["versions"])
    score = benchmark.measured(
        name, sys.executable, tmp_path, benchmark.packages_of(sys.executable)
    )
    assert score.crashed is None
    assert score.missed == []
    assert score.lookalikes == []
    assert score.wrong == []


def _skip_unless_installed(versions: dict[str, str]) -> None:
    for package, version in versions.items():
        try:
            installed = metadata.version(package).split("+")[0]
        except metadata.PackageNotFoundError:
            pytest.skip(f"{package} is not installed: pip install -r {REQUIREMENTS}")
        if installed != version:
            pytest.skip(f"the truth was read in {package} {version}, here is {installed}")
