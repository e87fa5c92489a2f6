"""The house rules that hold themselves: floors, sizes, a test beside each module, no torch below."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(p for p in (ROOT / "perfkit").rglob("*.py"))
PLUGIN_ROOMS = ("rules", "report/sections", "catalogue", "fixes", "lint")


def test_rooms_import_only_from_the_floors_below():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("tool", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]])
def test_the_code_is_clean(tool):
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_line_starts_without_heavy_imports():
    code = (
        "import sys, perfkit.cli\n"
        "from click.testing import CliRunner\n"
        "print(CliRunner().invoke(perfkit.cli.group, ['--help']).exit_code)\n"
        "print([m for m in ('torch', 'pandas', 'plotly', 'numpy') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["0", "[]"], done.stdout + done.stderr


def test_lower_rooms_are_imported_without_torch():
    rooms = (
        "base",
        "model",
        "io",
        "catalogue",
        "costs",
        "quality",
        "analysis",
        "rules",
        "lint",
        "fixes",
        "remedies",
        "compare",
        "report",
        "exports",
    )
    names = [
        ".".join(p.relative_to(ROOT).with_suffix("").parts)
        for p in MODULES
        if p.relative_to(ROOT / "perfkit").parts[0] in rooms and p.name != "__init__.py"
    ]
    code = (
        f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path):
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= 400
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= 60, f"{node.name} is too long"


def test_only_the_engine_catches_everything():
    broad = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") == "Exception")
    ]
    assert all(place.startswith("perfkit/rules/_engine.py") for place in broad), broad


def test_every_module_has_a_test_that_mirrors_it():
    missing = []
    for path in MODULES:
        inside = path.relative_to(ROOT / "perfkit")
        if path.name.startswith("_") or str(inside.parent) in PLUGIN_ROOMS or len(inside.parts) < 2:
            continue
        room = ROOT / "tests" / inside.parent
        if not (room / f"test_{path.stem}.py").exists():
            missing.append(str(inside))
    assert missing == []
