"""The what-if section: silent without a graph, honest where nothing is predicted, exact elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.report.blocks import Figure, Grid, Text
from perfkit.report.html import render
from perfkit.report.sections.verdict import section as verdict
from perfkit.report.sections.what_if import section
from perfkit.rules import _engine, diagnose
from tests.trace_pictures import trace

BARE = Diagnosis("bare", Verdict("a", "b", "c"), Coverage(0, "nothing"))
PICTURE = """
    step  ssssssssssssssssssssssss
    py    pppppppppppppppppppppppp p=train.py(3):~loop
    op    .aaaaaa......bbbbbbb.... a=aten::item b={name}
    call  l..wwww.....l..wwww..... l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   .kkkkk.......kkkkk...... k={kernel}
"""


def told(name: str = "aten::nonzero", kernel: str = "void~at::native::gemm<float>") -> Diagnosis:
    picture = PICTURE.format(name=name, kernel=kernel)
    return diagnose(trace_run(trace(picture), "drawn"), _engine.outcome)


def test_without_launches_there_is_no_section() -> None:
    assert section(BARE) is None


def test_where_nothing_is_predicted_the_reason_is_all_there_is() -> None:
    found = told()
    table = found.tables["replay"]
    row = (*table.rows[0][:-1], "the trace has gaps")
    tables = {**found.tables, "replay": replace(table, rows=(row,))}
    del tables["what_if"]
    block = section(replace(found, tables=tables))
    assert block is not None
    assert block.parts == (Text("Nothing is predicted: the trace has gaps."),)


def test_each_row_has_a_time_a_range_and_a_saving() -> None:
    block = section(told())
    assert block is not None
    figure, grid = block.parts
    assert isinstance(grid, Grid)
    texts = {row[0].text: row for row in grid.rows}
    assert {
        "The host never waits",
        "Without the waits of train.py:3",
        "The host twice as fast",
        "Twice as fast: gemm<float>",
        "All findings together",
    } <= set(texts)
    kernel = texts["Twice as fast: gemm<float>"]
    assert kernel[0].hint == "void at::native::gemm<float>"
    assert (kernel[1].text, kernel[2].text, kernel[3].text) == ("20 µs", "4 µs", "17%")
    assert " to " in kernel[1].detail
    assert isinstance(figure, Figure)
    assert figure.summary.startswith("now 24 µs; ")
    assert "Twice as fast: gemm<float>: 20 µs" in figure.summary
    bars, now = figure.spec["data"]
    assert len(set(bars["y"])) == len(grid.rows)
    assert now["x"] == [0.024, 0.024]
    assert "24 µs" in block.lead


def test_the_first_screen_shows_the_joint_replay_and_no_sum() -> None:
    (hero, *_) = verdict(told()).parts
    tile = hero.tiles[-1]  # type: ignore[union-attr]
    assert tile.label == "step without all findings"
    assert tile.detail.endswith("replayed")


@pytest.mark.parametrize("hostile", ["</script><img~src=x~onerror=alert(1)>", "{{7*7}}|`x`"])
def test_hostile_names_never_become_markup(hostile: str) -> None:
    found = told(hostile, hostile)
    block = section(found)
    assert block is not None
    grid = block.parts[1]
    assert isinstance(grid, Grid)
    assert any(hostile[:9] in cell.text for row in grid.rows for cell in row)
    assert "<img src=x" not in render(found)
