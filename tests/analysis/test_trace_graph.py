"""The bounded graph of a trace: which steps it takes, what it knows of them, when it keeps silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perfkit.analysis.dependency_graph import dependency_graph
from perfkit.analysis.device_work import device_work
from perfkit.analysis.trace_graph import TraceGraph, replay_table, trace_graph
from perfkit.analysis.trace_reading import trace_reading
from perfkit.analysis.what_if import Faster, HostFaster, WithoutWaits, what_if
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.events import Events
from tests.kineto_traces import needs_corpus
from tests.timelines import US, Command, Simulator, as_events, drawn
from tests.trace_pictures import trace

STEP: list[Command] = [("op", 12, 0), ("kernel", 4, 80), ("wait", 0, 0), ("python", 60, 0)]


def stepped(*lengths: int) -> Events:
    """A step of STEP per length, the Python at its end so many µs longer."""
    machine = Simulator()
    for length in lengths:
        begin = machine.now
        machine.op(12)
        machine.kernel(4, 80)
        machine.wait()
        machine.python(60 + length)
        machine.step(begin)
    return as_events(machine.rows)


def graph_of(events: Events, most_nodes: int = 10_000) -> TraceGraph:
    return trace_graph(events, events.steps(), device_work(events), most_nodes)


# Where there is none.


def test_a_trace_without_steps_has_none() -> None:
    events = stepped(0)
    with pytest.raises(NotObservable, match="no step"):
        trace_graph(events, (), device_work(events))


def test_work_that_nothing_launched_is_not_replayed() -> None:
    events = drawn("..ooo..", steps="aaaaaaa", s7=".kk")
    with pytest.raises(NotObservable, match="launch"):
        graph_of(events)


def test_a_step_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfkit.analysis.trace_graph.MOST_NODES_IN_A_STEP", 2)
    with pytest.raises(NotObservable, match="too many to replay"):
        graph_of(stepped(0), most_nodes=1)


def test_nothing_is_predicted_over_time_that_nobody_recorded() -> None:
    found = graph_of(drawn("oLL" + "." * 30, steps="a" * 33, s7="." * 200 + "kk"))
    assert found.withheld is not None
    assert "gaps of 197 µs in all, of 202 µs" in found.withheld
    with pytest.raises(NotObservable, match="gaps"):
        found.predict((HostFaster(2),))
    assert replay_table(found).records()[0]["reason"] == found.withheld


def test_nothing_is_predicted_by_a_model_that_does_not_fit() -> None:
    # three kernels start 3 µs after their launch, the last one 95 µs
    host = "LL........" * 3 + "LL"
    found = graph_of(drawn(host, steps="a" * 32, s7="...kk....." * 3 + "." * 95 + "kk"))
    assert found.path.by_class["unrecorded"] == 0
    assert found.withheld is not None
    assert "off by" in found.withheld


# What it takes.


def test_a_host_that_was_done_early_does_not_hold_up_the_replay() -> None:
    reading = trace_reading(
        trace("""
        step  ssssssss
        call  l....... l=cudaLaunchKernel
        gpu   .kkkkkkkkkkkkkkkkkkkkk k=gemm
    """)
    )
    assert reading.steps.ends.tolist() == [1_022 * US]
    found = reading.graph
    assert found.path.by_class["kernel"] == 21 * US
    kernels = tuple(np.flatnonzero(found.graph.events.named(("gemm",))).tolist())
    assert found.predict((Faster(kernels, 3),)).saving.likely_ns == 14 * US


def test_a_small_trace_is_taken_whole() -> None:
    events = stepped(0, 10, 20)
    found = graph_of(events)
    found.graph.self_check()
    assert (found.graph.steps, found.of_steps, found.taken()) == (3, 3, "all 3 steps")
    assert graph_of(stepped(0)).taken() == "the only step"
    whole = dependency_graph(events, events.steps())
    assert (found.graph.span_ns, len(found.graph.nodes)) == (whole.span_ns, len(whole.nodes))


def test_of_a_long_trace_the_most_typical_steps_are_taken() -> None:
    events = stepped(500, 20, 19, 300, 20)
    found = graph_of(events, most_nodes=6)
    found.graph.self_check()
    found.path.self_check()
    assert (found.graph.steps, found.taken()) == (2, "2 of 5 steps")
    assert [step.number for step in found.steps] == [1, 2]


def test_rows_are_translated_and_those_outside_are_left_out() -> None:
    events = stepped(0, 0, 0, 0)
    found = graph_of(events, most_nodes=3)
    waits = np.flatnonzero(events.named(("cudaStreamSynchronize",)))
    mine = found.rows_of(waits)
    assert len(mine) == 1
    (row,) = mine
    assert found.graph.events.name_of(row) == "cudaStreamSynchronize"
    assert int(found.graph.events.start[row]) in events.start[waits].tolist()
    assert found.rows_of(()) == ()


def test_steps_alike_are_predicted_alike_however_many_are_taken() -> None:
    events = stepped(*[0] * 8)
    told = []
    for most in (3, 10_000):
        found = graph_of(events, most)
        waits = tuple(found.graph.wait_rows().tolist())
        told.append(found.predict((WithoutWaits(waits), HostFaster(2))))
    assert told[0].before_ns == pytest.approx(told[1].before_ns, rel=0.02)
    # the last step's kernel ends in the step, so the first and last of a window count more
    assert told[0].likely_ns == pytest.approx(told[1].likely_ns, rel=0.3)


def test_a_question_is_replayed_once() -> None:
    found = graph_of(stepped(0, 0))
    edits = (HostFaster(2),)
    assert found.predict(edits) is found.predict([HostFaster(2)])
    assert found.predict(edits) == what_if(found.graph, edits)


def test_the_table_says_what_was_replayed_and_how_well_it_fits() -> None:
    found = graph_of(stepped(0, 0, 0), most_nodes=3)
    (row,) = replay_table(found).records()
    assert (row["steps"], row["of_steps"], row["reason"]) == (1, 3, None)
    assert row["measured_ns"] == found.graph.span_ns
    assert row["measured_ns"] == 162 * US
    assert row["error"] == 0


@needs_corpus()
def test_parts_of_real_traces_keep_every_invariant(trace: Path) -> None:
    events = read_trace(trace)
    reading = trace_reading(events)
    try:
        found = trace_graph(events, reading.steps.windows, reading.work, 3_000)
    except NotObservable:
        assert trace.name == "cpu_only.json.gz"
        return
    found.graph.self_check()
    found.path.self_check()
    assert (found.withheld is not None) == trace.name.startswith("sglang")
