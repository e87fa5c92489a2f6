"""Lanes of a few steps: what they hold, and that nothing is lost when they are merged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.analysis.timeline import (
    MOST,
    Lane,
    Timeline,
    _merged,
    chosen,
    timeline,
    timeline_steps_table,
    timeline_table,
)
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotObservable
from perfkit.model.events import StepWindow
from tests.trace_pictures import trace

PICTURE = """
    step  ssssssssss.ssssssssss
    note  .rrrrrrrr..rrrrrrrr.. r=region
    py    .pppppp....pppppp.... p=train.py(3):~loop
    py    ..ppp.................. p=train.py(9):~inner
    op    .aaaaaa.....aaaaaa... a=aten::item
    call  l..www.....l..www.... l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   .kkkkk......kkkkk.... k=gemm
    gpu2  ......c.............. c=Memcpy~HtoD
"""


def _timeline(picture: str, most: int = MOST) -> Timeline:
    reading = trace_reading(trace(picture))
    made = timeline(reading.events, reading.steps, reading.work, reading.waits, most=most)
    made.self_check()
    return made


def test_a_trace_without_anything_in_its_steps_is_not_observable() -> None:
    with pytest.raises(NotObservable):
        _timeline("step ssss")


def test_lanes_hold_the_outermost_and_what_began_inside_a_lane_further_down() -> None:
    lanes = {lane.title: lane for lane in _timeline(PICTURE).lanes}
    assert list(lanes) == [
        "regions", "Python", "Python, inside 1", "operators", "runtime calls", "waits",
        "device 0, stream 7", "device 0, stream 8",
    ]  # fmt: skip
    assert len(lanes["Python"]) == 2
    assert lanes["Python, inside 1"].names == ("train.py(9): inner",)
    assert lanes["waits"].names == ("aten::item in cudaStreamSynchronize",) * 2
    assert lanes["device 0, stream 8"].kinds == ("copy",)


def test_the_table_counts_time_from_the_first_step_that_is_drawn() -> None:
    made = _timeline(PICTURE)
    rows = [row for row in timeline_table(made).records() if row["lane"] == "device 0, stream 7"]
    assert [(row["start_ns"], row["dur_ns"], row["count"]) for row in rows] == [
        (1_000, 5_000, 1), (12_000, 5_000, 1),
    ]  # fmt: skip
    assert timeline_steps_table(made).rows == ((0, 0, 10_000), (1, 11_000, 10_000))


@pytest.mark.parametrize(
    ("lengths", "numbers"),
    [
        ([5], [0]),
        ([5, 5, 5], [0, 1, 2]),
        ([90, 5, 5, 9, 7, 6, 5], [4, 5, 6]),
        ([9, 1, 2, 3], [1, 2, 3]),
    ],
)
def test_few_steps_around_the_typical_one_are_drawn(lengths: list[int], numbers: list[int]) -> None:
    windows = [StepWindow(n, 100 * n, 100 * n + length) for n, length in enumerate(lengths)]
    assert [window.number for window in chosen(windows)] == numbers


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=200),
    st.integers(1, 60),
)
def test_merging_loses_no_event_and_no_time(pairs: list[tuple[int, int]], budget: int) -> None:
    gaps, lengths = np.array(pairs, np.int64).T
    end = np.cumsum(gaps + lengths)
    start = end - lengths
    names = tuple(f"e{n}" for n in range(len(start)))
    ones = np.ones(len(start), np.int64)
    lane = Lane("x", ("op",) * len(start), names, start, end, ones, lengths)
    merged = _merged(lane, budget, (0, int(end[-1])))
    merged.self_check()
    assert len(merged) <= max(budget, 3) + 1
    assert int(merged.count.sum()) == len(start)
    assert int(merged.covered.sum()) == int(lengths.sum())
    assert all(bool(name) == (count == 1) for name, count in zip(
        merged.names, merged.count.tolist(), strict=True
    ))  # fmt: skip
    assert bool((merged.start[1:] >= merged.end[:-1]).all())


def test_the_longest_interval_keeps_its_name() -> None:
    made = _timeline(
        "step " + "s" * 60 + "\nop   " + "ab" * 20 + "c" * 15 + "a.... a=x b=y c=big", 9
    )
    (operators,) = [lane for lane in made.lanes if lane.title == "operators"]
    assert "big" in operators.names
    assert int(operators.count.sum()) == 42
