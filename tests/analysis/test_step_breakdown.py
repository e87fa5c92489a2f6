"""The parts of a step: exact, exclusive, and summing to it."""

from __future__ import annotations

from perfkit.analysis.device_work import device_work
from perfkit.analysis.host_time import host_time
from perfkit.analysis.step_breakdown import (
    mean_parts,
    step_breakdown,
    step_breakdown_table,
)
from perfkit.analysis.trace_steps import trace_steps
from perfkit.model.events import Events
from tests.trace_pictures import US, trace


def _broken_down(events: Events):  # type: ignore[no-untyped-def]
    work = device_work(events)
    found = step_breakdown(trace_steps(events, work), work, host_time(events, work))
    for step in found:
        step.self_check()
    return found


def test_a_trace_without_a_device_has_only_a_host() -> None:
    (step,) = _broken_down(trace("op aaa a=aten::mm"))
    assert list(step.sides) == ["host"]


def test_no_interval_no_step() -> None:
    assert _broken_down(trace("over a a=Buffer")) == ()
    assert mean_parts(()) == {}


def test_what_compute_hides_is_not_exposed() -> None:
    first, second = _broken_down(
        trace("""
        step  ssssssssssssssssssss
        step  ....................ssssssssss
        gpu   ..kkkkkk..............kk......
        gpu2  ......nnnn.cc.cc.............. n=ncclKernel c=Memcpy~DtoH
        """)
    )
    assert first.sides["device 0"] == {
        "compute": 6 * US,
        "exposed_comm": 2 * US,
        "exposed_copies": 4 * US,
        "graph_gaps": 0,
        "idle": 8 * US,
    }
    assert second.sides["device 0"]["compute"] == 2 * US
    assert mean_parts((first, second))["device 0"]["compute"] == 4 * US


def test_a_graph_is_never_idle_inside() -> None:
    events = trace(
        """
        step  ssssssssss
        call  g......... g=hipGraphLaunch
        gpu   .k..k..k.. k=node
        """,
        launch={0: 0, 1: 0, 2: 0},
    )
    (step,) = _broken_down(events)
    assert step.sides["device 0"]["graph_gaps"] == 4 * US
    assert step.sides["device 0"]["idle"] == 3 * US


def test_the_table_has_a_row_per_part() -> None:
    table = step_breakdown_table(_broken_down(trace("step ssss\ngpu  .kk. k=gemm")))
    records = table.records()
    assert len(records) == 6 + 5
    assert sum(r["time_ns"] for r in records if r["side"] == "host") == 4 * US
    assert {r["share"] for r in records if r["part"] == "compute"} == {0.5}
