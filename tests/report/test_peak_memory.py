"""What was alive at the peak: silent where nobody looked, else the largest first."""

from __future__ import annotations

from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.model.memory import Held
from perfkit.report.blocks import Grid
from perfkit.report.sections.peak_memory import section
from perfkit.rules import _engine, diagnose
from tests.rules.test_peak_memory_cause import MIB, run, saved

BARE = Diagnosis("x", Verdict("a", "b", "c"), Coverage(0, "x"))


def test_without_a_record_there_is_no_section() -> None:
    assert section(BARE) is None


def test_the_largest_comes_first_with_its_share_and_line() -> None:
    drawn = run(Held("parameters", 100 * MIB, 9), saved(300 * MIB))
    block = section(diagnose(drawn, _engine.outcome))
    assert block is not None
    (grid,) = block.parts
    assert isinstance(grid, Grid)
    assert [cell.text for cell in grid.rows[0]] == [
        "saved for backward",
        "300 MiB",
        "75%",
        "1",
        "aten::softmax",
        "model.py:88",
    ]
    assert (grid.rows[0][2].bar, grid.rows[0][4].detail) == (0.75, "Net.attention")
    assert [cell.text for cell in grid.rows[1]][:4] == ["parameters", "100 MiB", "25%", "9"]
    assert grid.rows[1][5].text == "–"
