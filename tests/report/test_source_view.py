"""The source view: heat beside its line, three groupings, and nothing where no source was read."""

from __future__ import annotations

from pathlib import Path

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.syncs import Frame
from perfkit.report import html
from perfkit.report.blocks import Code, CodeLine, Grid, Switch
from perfkit.report.sections.source_view import section
from perfkit.rules import _engine, diagnose
from tests.draw import draw, item

SOURCE = '''\
import torch


def step(x):
    """One step."""
    if x.any():
        return x.nonzero()
    return "</code><script>alert(1)</script>"


def other(x):
    return x.item()
'''


def _diagnosed(folder: Path) -> Diagnosis:
    file = folder / "model.py"
    file.write_text(SOURCE, encoding="utf-8")
    places = [(6, "step"), (6, "step"), (7, "step"), (12, "other")]
    syncs = tuple(item(step=0, stack=(Frame(str(file), line, name),)) for line, name in places)
    return diagnose(draw("step  dddd", syncs=syncs), _engine.outcome)


def _views(diagnosis: Diagnosis) -> Switch:
    block = section(diagnosis)
    assert block is not None
    (switch,) = block.parts
    assert isinstance(switch, Switch)
    return switch


def test_without_a_readable_source_it_is_silent() -> None:
    found = diagnose(draw("step  dddd\nsync  i...", i=item("/gone/model.py")), _engine.outcome)
    assert section(found) is None


def test_lines_carry_their_cost_and_the_hottest_is_a_whole(tmp_path: Path) -> None:
    (code,) = _views(_diagnosed(tmp_path)).views[0].parts
    assert isinstance(code, Code)
    lines = [line for _, run in code.stretches for line in run]
    hot = {line.number: line for line in lines if line.heat is not None}
    assert {n: (line.cells[0], line.heat) for n, line in hot.items()} == {
        6: ("2", 1.0), 7: ("1", 0.5), 12: ("1", 0.5),
    }  # fmt: skip
    assert hot[6].notes == ("model.py:6 step",)
    assert [line.number for line in lines] == [4, 5, 6, 7, 8, 11, 12]
    assert len(code.stretches) == 2


def test_functions_and_constructs_are_ranked_and_link_to_their_hottest_line(tmp_path: Path) -> None:
    _, functions, constructs = _views(_diagnosed(tmp_path)).views
    (grid,) = functions.parts
    assert isinstance(grid, Grid)
    assert [[cell.text for cell in row[:4]] for row in grid.rows] == [
        ["step", "model.py:6", "2", "3"],
        ["other", "model.py:12", "1", "1"],
    ]
    assert grid.rows[0][1].anchor == "line-1-6"
    (kinds,) = constructs.parts
    assert isinstance(kinds, Grid)
    assert [row[0].text for row in kinds.rows] == ["item"]


def test_source_text_never_becomes_markup_and_anchors_are_unique(tmp_path: Path) -> None:
    page = html.render(_diagnosed(tmp_path))
    assert "<script>alert" not in page
    assert page.count('id="line-1-6"') == 1


def test_a_line_without_cost_is_plain() -> None:
    line = CodeLine(1, "x")
    assert (line.cells, line.heat, line.notes) == ((), None, ())
