"""Every step as a bar: what is stacked, what is one piece, and what happens to outliers."""

from __future__ import annotations

import pytest

from perfkit.analysis.steps import steps_table
from perfkit.analysis.trace_run import trace_run
from perfkit.model.run import Run, Step
from perfkit.model.table import Column, Table
from perfkit.report import figures
from perfkit.rules import _engine, diagnose
from tests.draw import draw
from tests.trace_pictures import trace

NAMES = {"aten": "ATen operators"}
COLOURS = {"aten": "--c1"}
BREAKDOWN = ("step", "side", "part", "time_ns", "share")


def _host(run: Run, breakdown: Table | None = None) -> dict | None:
    return figures.side_figure(figures.bars(steps_table(run), breakdown), "host", NAMES, COLOURS)


def _parts(*rows: tuple[int, str, str, int]) -> Table:
    return Table(tuple(map(Column, BREAKDOWN)), tuple((*row, 0.5) for row in rows))


def test_a_single_step_that_only_a_clock_saw_needs_no_chart() -> None:
    assert _host(draw("step  bbbb")) is None


def test_steps_of_a_clock_are_bars_in_one_piece() -> None:
    spec = _host(draw("step  bbbb.bb.dddddd"))
    assert spec is not None
    assert [(s["name"], s["x"], s["y"]) for s in spec["data"]] == [
        ("clock only", [0, 1], [0.004, 0.002]),
        ("deep, every detector on", [2], [0.006]),
    ]


def test_traced_steps_are_stacked_where_they_stand_in_the_run() -> None:
    table = _parts((0, "host", "aten", 3_000), (0, "host", "other", 1_000))
    spec = _host(draw("step  bb.llll"), table)
    assert spec is not None
    assert [(s["name"], s["x"], s["y"]) for s in spec["data"]] == [
        ("ATen operators", [1], [0.003]),
        ("other", [1], [0.001]),
        ("clock only", [0], [0.002]),
    ]


def test_a_breakdown_of_other_steps_is_not_laid_over_them() -> None:
    table = _parts((7, "host", "aten", 3_000), (8, "host", "aten", 1_000))
    bars = figures.bars(steps_table(draw("step  bb.llll")), table)
    assert [bar.name for bar in bars] == ["step 7", "step 8"]


def test_step_numbers_of_a_trace_may_repeat() -> None:
    table = _parts((3, "host", "aten", 3_000), (3, "host", "aten", 1_000))
    assert [bar.duration_ns for bar in figures.bars(None, table)] == [3_000, 1_000]


def test_warm_up_is_marked_and_cut_off_where_it_dwarfs_the_rest() -> None:
    steps = (Step(0, "warm-up", 0, 9_000), Step(1, "bare", 9_000, 9_100))
    spec = _host(Run("slow start", steps=steps))
    assert spec is not None
    (warm_up,) = [s for s in spec["data"] if s["name"] == "warm-up"]
    assert warm_up["marker"]["pattern"]["shape"] == "/"
    assert spec["layout"]["yaxis"]["range"] == pytest.approx([0, 0.000115])
    assert [note["text"] for note in spec["layout"]["annotations"]] == ["↑ 9 µs"]


def test_of_a_hundred_thousand_steps_the_slowest_of_each_few_are_shown() -> None:
    steps = tuple(Step(i, "bare", i * 10, i * 10 + (9 if i == 777 else 5)) for i in range(100_000))
    spec = _host(Run("long", steps=steps))
    assert spec is not None
    assert len(spec["data"][0]["x"]) <= figures.LIMIT
    assert max(spec["data"][0]["y"]) == 9e-6
    assert 777 in spec["data"][0]["x"]


def test_devices_show_only_steps_that_were_traced() -> None:
    table = _parts((0, "host", "aten", 4_000), (0, "device 0", "compute", 4_000))
    bars = figures.bars(steps_table(draw("step  bb.llll")), table)
    spec = figures.side_figure(bars, "device 0", {}, {})
    assert spec is not None
    assert [(s["name"], s["x"]) for s in spec["data"]] == [("compute", [1])]


def test_stacks_of_a_trace_sum_to_the_step() -> None:
    picture = "step ssssssss.ssssss\nop   .aaa.....aa.... a=aten::mm"
    found = diagnose(trace_run(trace(picture), "drawn"), _engine.outcome)
    for bar in figures.bars(found.tables["steps"], found.tables["step_breakdown"]):
        assert sum(bar.parts["host"].values()) == bar.duration_ns


def test_markup_of_a_label_is_taken_literally() -> None:
    assert figures.plain("<b>&") == "&lt;b&gt;&amp;"
