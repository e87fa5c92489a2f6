from __future__ import annotations

from dataclasses import replace

from perfkit.analysis.communication import communication, communication_table
from perfkit.io.chrome import read_trace
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.report.html import render
from perfkit.report.sections.communication import section
from tests.kineto_traces import write
from tests.rank_traces import rank_trace

BARE = Diagnosis("one", Verdict("a", "b", "c"), Coverage(1, "a trace"))


def told(tmp_path, trace):
    events = read_trace(write(tmp_path / "t.json", trace))
    return replace(BARE, tables={"communication": communication_table(communication(events, {}))})


def test_a_trace_without_collectives_has_no_section():
    assert section(BARE) is None


def test_time_size_and_speed_of_each_kind_are_shown(tmp_path):
    block = section(told(tmp_path, rank_trace(0, 2, "kAA.A")))
    assert block is not None
    (grid,) = block.parts
    assert [cell.text for cell in grid.rows[0]] == [
        "all_reduce",
        "4 KiB",
        "2",
        "300 µs",
        "300 µs",
        "100 µs",
    ]
    assert grid.rows[0][0].detail == "group 0, 2 ranks"
    assert grid.rows[0][4].bar == 1.0
    assert grid.rows[0][5].detail == "bus 0.041 GB/s"


def test_unknown_sizes_are_dashes(tmp_path):
    trace = rank_trace(0, 2, "kAA")
    for event in trace["traceEvents"]:
        for key in ("In msg nelems", "Out msg nelems"):
            event.get("args", {}).pop(key, None)
    block = section(told(tmp_path, trace))
    assert block is not None
    assert block.parts[0].rows[0][1].text == "–"
    assert block.parts[0].rows[0][5].detail == ""


def test_a_group_named_by_a_stranger_never_becomes_markup(tmp_path):
    trace = rank_trace(0, 2, "kAA")
    for event in trace["traceEvents"]:
        if "Process Group Name" in event.get("args", {}):
            event["args"]["Process Group Name"] = "<img src=x>"
    assert "<img" not in render(told(tmp_path, trace))
