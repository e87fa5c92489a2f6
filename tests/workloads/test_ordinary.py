"""The workloads must be what a user could have written: no help from perfkit inside them."""

import ast
from pathlib import Path

import pytest

import perfkit.workloads

ROOM = Path(perfkit.workloads.__file__).parent
FILES = sorted(ROOM.rglob("*.py"))


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


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOM)))
def test_a_workload_imports_nothing_of_perfkit_but_itself(path):
    own = ".".join(("perfkit", "workloads", *path.relative_to(ROOM).parts[:1]))
    strangers = [
        n
        for n in imported(path)
        if n.split(".")[0] == "perfkit" and not f"{n}.".startswith(f"{own}.")
    ]
    assert strangers == []


def test_both_workloads_are_looked_at():
    assert {path.parent.name for path in FILES} >= {"ctr", "lens", "losses"}
