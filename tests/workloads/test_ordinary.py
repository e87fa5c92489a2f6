"""What was found must be what a user could have written: no help from perfkit inside it."""

import ast
from pathlib import Path

import pytest

import perfkit.workloads

ROOM = Path(perfkit.workloads.__file__).parent
FILES = sorted(ROOM.rglob("*.py"))
FOUND = [
    ROOM / "ctr" / f"{name}.py"
    for name in ("__init__", "__main__", "config", "data", "inference", "metrics", "model")
]
READING = ("perfkit.workloads._settings",)  # of the command line
# Rewritten parts, and counting what they ask of a device; never the machinery that measures a run.
ALLOWED = tuple(
    f"perfkit.{room}"
    for room in (
        "rewrites",
        "base",
        "pretend",
        "detectors",
        "workloads._bench",
        "workloads._settings",
    )
)


def imported(path: Path) -> list[str]:
    """Absolute names of the modules a file imports."""
    package = ("perfkit", "workloads", *path.relative_to(ROOM).parent.parts)
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names.append(".".join((*base, *filter(None, [node.module]))))
    return names


def strangers(path: Path, allowed: tuple[str, ...] = ()) -> list[str]:
    """Modules of perfkit that a file imports, beyond its own workload and those allowed."""
    own = ".".join(("perfkit", "workloads", *path.relative_to(ROOM).parts[:1]))
    return [
        name
        for name in imported(path)
        if name.split(".")[0] == "perfkit"
        and not any(f"{name}.".startswith(f"{room}.") for room in (own, *allowed))
    ]


@pytest.mark.parametrize("path", FOUND, ids=lambda p: str(p.relative_to(ROOM)))
def test_the_ctr_program_as_found_imports_nothing_of_perfkit_but_itself(path):
    assert strangers(path, READING) == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOM)))
def test_a_workload_imports_rewrites_and_nothing_that_measures_it(path):
    assert strangers(path, ALLOWED) == []


def test_both_workloads_are_looked_at():
    assert {path.parent.name for path in FILES} >= {"ctr", "lens"}
