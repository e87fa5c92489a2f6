"""The notebooks: what is committed reads well on a code host, and running them gives the same again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need nbformat")
nbclient = pytest.importorskip("nbclient", reason="notebooks are run by nbclient")

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
RUNS = ("ctr-found", "what-if-pairs")
_HEADS = re.compile(r"<thead>.*?</thead>", re.DOTALL)
_HEAD = re.compile(r"<th[^>]*>(.*?)</th>", re.DOTALL)
_MACHINE = re.compile(r"/(?:home|root|work|tmp|usr|opt|Users|mnt)/")
_PROGRESS = "perfkit: "
_SECONDS = 180


def _code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def _structure(cell: Any) -> list[tuple[Any, ...]]:
    """What a cell shows, without its numbers: kinds of output, and headings of tables."""
    shown = []
    for output in cell.outputs:
        data = output.get("data", {})
        text = str(data.get("text/plain", ""))
        if text.startswith(_PROGRESS) and "text/html" not in data:
            continue  # a line of progress, which a fast machine does not show
        heads = [
            head
            for block in _HEADS.findall(str(data.get("text/html", "")))
            for head in _HEAD.findall(block)
        ]
        shown.append((output.output_type, sorted(data), heads))
    return shown


def test_all_five_are_here() -> None:
    assert [name[:2] for name in NAMES] == ["1_", "2_", "3_", "4_", "5_"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_what_is_committed_is_valid_whole_and_of_no_machine(path: Path) -> None:
    notebook = _read(path)
    nbformat.validate(notebook)
    cells = _code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]
    assert not [o for cell in cells for o in cell.outputs if o.get("name") == "stderr"]
    text = path.read_text(encoding="utf-8")
    assert _MACHINE.search(text) is None
    assert len(text) < 200_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_the_verdict_comes_first_and_nothing_needs_a_script_to_be_read(path: Path) -> None:
    notebook = _read(path)
    assert "**Verdict.**" in notebook.cells[0].source
    kinds = {kind for cell in _code(notebook) for o in cell.outputs for kind in o.get("data", {})}
    assert kinds <= {"text/plain", "text/html", "image/svg+xml"}
    assert "<script" not in path.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_running_it_gives_the_same_again(path: Path, tmp_path: Path) -> None:
    for name in RUNS:
        shutil.copytree(ROOT / "profiles" / name, tmp_path / "profiles" / name)
    (tmp_path / "notebooks").mkdir()
    committed, fresh = _read(path), _read(path)
    for cell in _code(fresh):
        cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(tmp_path / "notebooks")}}
    client = nbclient.NotebookClient(
        fresh, timeout=_SECONDS, kernel_name="python3", resources=resources
    )
    client.execute()
    pairs = zip(_code(committed), _code(fresh), strict=True)
    for number, (before, after) in enumerate(pairs, start=1):
        assert _structure(after) == _structure(before), f"cell {number}"
