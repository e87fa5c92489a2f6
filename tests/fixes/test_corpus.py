"""Fixes go over other people's files without a crash and leave Python behind; all of it in benchmarks."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from perfkit.fixes._apply import fixed
from perfkit.fixes._codemod import fixes

FILES = 12
LARGEST = 60_000


@pytest.mark.parametrize("package", ["torch", "pandas", "plotly"])
def test_files_of_large_packages_survive(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    everything = fixes()
    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.py"))
    words = [word.encode() for fix in everything.values() for word in fix.words]
    seen = 0
    for path in files[:: max(1, len(files) // 200)]:
        data = path.read_bytes()
        if len(data) > LARGEST or not any(word in data for word in words):
            continue
        data += b"\nimport torch\n"  # else they are not even parsed
        outcome = fixed(data, everything, unsafe=True)
        assert not outcome.skipped.startswith("backed out"), path
        compile(outcome.after, path.name, "exec")
        seen += 1
        if seen == FILES:
            break
    assert seen
