"""Small and uneven collectives: silent without any, each kind in a table of its own."""

from __future__ import annotations

from pathlib import Path

from perfkit.analysis.ranks import ranks
from perfkit.analysis.trace_run import trace_run
from perfkit.cli import _ranks
from perfkit.model.run import Run
from perfkit.report.blocks import Grid
from perfkit.report.sections.small_collectives import section
from perfkit.rules import _engine, diagnose
from perfkit.rules._late_rank import with_ranks
from tests.analysis.test_all_to_all import told
from tests.analysis.test_gradient_buckets import one_rank
from tests.rules.test_late_rank import BASE


def test_without_small_or_uneven_collectives_there_is_no_section(tmp_path: Path) -> None:
    large = trace_run(one_rank(tmp_path, 20, elements=1 << 20), "x")
    for run in (Run("empty"), large):
        assert section(diagnose(run, _engine.outcome)) is None


def test_collectives_that_could_be_joined_are_counted(tmp_path: Path) -> None:
    block = section(diagnose(trace_run(one_rank(tmp_path, 20), "x"), _engine.outcome))
    assert block is not None
    (grid,) = block.parts
    assert isinstance(grid, Grid)
    assert [cell.text for cell in grid.rows[0]][:3] == ["all_reduce", "20", "80 KiB"]


def test_all_to_alls_of_all_ranks_name_the_heaviest(tmp_path: Path) -> None:
    paths = told(tmp_path, ("B.TTTTkAAA", 1000, []), ("B.TTTTkkkA", 3000, []))
    found = ranks([_ranks.one_rank(str(path)) for path in paths])
    block = section(with_ranks(BASE, found))
    assert block is not None
    grid = block.parts[-1]
    assert isinstance(grid, Grid)
    assert [head.title for head in grid.heads][:2] == ["All-to-all", "Heaviest rank"]
    assert [cell.text for cell in grid.rows[0]][1:4] == ["1", "11.7 KiB", "7.81 KiB"]
