"""DataLoaders as they were used: silent without one, dashes for what nobody counted."""

from __future__ import annotations

from perfkit.report.blocks import Grid
from perfkit.report.sections.loaders import section
from perfkit.rules import _engine, diagnose
from tests.analysis.test_loading import loader
from tests.draw import draw


def test_without_a_loader_there_is_no_section() -> None:
    assert section(diagnose(draw("step  bbbb"), _engine.outcome)) is None


def test_settings_waits_and_the_cost_of_handing_over_are_shown() -> None:
    counted = loader((0, 2), (5, 9), (10, 14), tensors=9.0, nbytes=2048.0)
    other = loader((2, 3), dataset="Users", num_workers=2, prefetch_factor=4)
    block = section(diagnose(draw("step  bbbb.bbbb", loaders=(counted, other)), _engine.outcome))
    assert block is not None
    (grid,) = block.parts
    assert isinstance(grid, Grid)
    first, second = grid.rows
    assert [cell.text for cell in first] == ["Clicks", "0", "no", "3", "4 µs", "9", "2 ms"]
    assert (first[0].detail, first[5].detail) == ("8 samples a batch", "2 KiB")
    assert [cell.text for cell in second] == ["Users", "2", "no", "1", "1 µs", "–", "–"]
    assert second[1].detail == "4 batches ahead each"
