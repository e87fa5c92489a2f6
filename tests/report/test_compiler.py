"""What the compiler did: silent where nothing was compiled."""

from __future__ import annotations

from perfkit.model.run import Run
from perfkit.report.blocks import Grid
from perfkit.report.sections.compiler import section
from perfkit.rules import _engine, diagnose
from tests.rules.test_recompilation import SIZE, made, run


def test_a_program_that_compiles_nothing_has_no_section() -> None:
    for silent in (Run("empty"), run()):
        assert section(diagnose(silent, _engine.outcome)) is None


def test_versions_times_and_the_last_failed_guard_are_told() -> None:
    block = section(diagnose(run(made(0, 0), made(1, 3, SIZE)), _engine.outcome))
    assert block is not None
    (grid,) = block.parts
    assert isinstance(grid, Grid)
    (row,) = grid.rows
    assert [cell.text for cell in row][:5] == ["model.py:7", "2", "2 µs", "1", "0"]
    assert row[3].detail == "1 µs"
    assert row[5].text.startswith("tensor 'L['x']' size mismatch")
