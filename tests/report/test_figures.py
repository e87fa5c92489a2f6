"""The step-time chart as data."""

from __future__ import annotations

from perfkit.analysis.steps import steps_table
from perfkit.model.run import Run, Step
from perfkit.report import figures
from tests.draw import draw


def test_a_single_step_needs_no_chart() -> None:
    assert figures.step_times(steps_table(draw("step  bbbb"))) is None


def test_one_series_per_instrument_in_milliseconds() -> None:
    spec = figures.step_times(steps_table(draw("step  bbbb.bb.dddddd")))
    assert spec is not None
    assert [(s["name"], s["x"], s["y"]) for s in spec["data"]] == [
        ("bare", [0, 1], [0.004, 0.002]),
        ("deep", [2], [0.006]),
    ]
    assert spec["layout"]["yaxis"]["type"] == "linear"
    assert spec["layout"]["yaxis"]["rangemode"] == "tozero"


def test_steps_of_very_different_length_share_a_logarithmic_axis_with_named_ticks() -> None:
    spec = figures.step_times(steps_table(draw("step  bb.dddddddddddddddddddd")))
    assert spec is not None
    axis = spec["layout"]["yaxis"]
    assert axis["type"] == "log"
    assert axis["ticktext"] == ["1 µs", "2 µs", "5 µs", "10 µs", "20 µs"]


def test_a_hundred_thousand_steps_stay_a_small_chart() -> None:
    steps = tuple(Step(i, "bare", i * 10, i * 10 + 9) for i in range(100_000))
    spec = figures.step_times(steps_table(Run("long", steps=steps)))
    assert spec is not None
    assert 1_000 <= len(spec["data"][0]["x"]) <= 2_000


def test_a_step_of_no_time_keeps_the_axis_linear() -> None:
    steps = (Step(0, "bare", 5, 5), Step(1, "bare", 5, 900))
    spec = figures.step_times(steps_table(Run("zero", steps=steps)))
    assert spec is not None
    assert spec["layout"]["yaxis"]["type"] == "linear"
