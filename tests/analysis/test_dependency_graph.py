"""The graph gives the trace back, links what belongs together and nothing else."""

from __future__ import annotations

import random
import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.analysis._replay import replay
from perfkit.analysis.critical_path import critical_path
from perfkit.analysis.dependency_graph import (
    DependencyGraph,
    EdgeKind,
    NodeKind,
    calibration_table,
    calibrations,
    dependency_graph,
)
from perfkit.analysis.what_if import WithoutWaits, what_if
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.events import UNKNOWN, DeviceSync, Events, StepWindow
from tests.kineto_traces import needs_corpus
from tests.timelines import US, Row, as_events, drawn, simulate

COMMANDS = st.one_of(
    st.tuples(st.just("python"), st.integers(0, 40), st.just(0)),
    st.tuples(st.just("op"), st.integers(1, 40), st.just(0)),
    st.tuples(st.just("kernel"), st.integers(1, 8), st.integers(1, 60)),
    st.tuples(st.sampled_from(("wait", "read")), st.just(0), st.just(0)),
)
PROGRAMS = st.lists(COMMANDS, max_size=25).map(lambda p: [("kernel", 3, 10), *p])


def edges(graph: DependencyGraph, kind: EdgeKind) -> list[tuple[int, int, int]]:
    """(end of the source, start of the target, delay) in µs, by time."""
    of = graph.edges.kind == int(kind)
    ends, starts = graph.nodes.end[graph.edges.src[of]], graph.nodes.start[graph.edges.dst[of]]
    found = np.stack((ends - graph.begin_ns, starts - graph.begin_ns, graph.edges.delay[of])) // US
    return sorted(tuple(row) for row in found.T.tolist())


def visited(graph: DependencyGraph, dur: list[int], delay: list[int]) -> list[int]:
    """The replay in its plainest form: node by node, edge by edge."""
    ends = graph.entries.tolist()
    edges = graph.edges
    for node, own in enumerate(dur):
        into = np.flatnonzero(edges.dst == node).tolist()
        ends[node] = max([ends[node], *(ends[edges.src[e]] + delay[e] for e in into)]) + own
    return ends


# What is no edge, and no graph.


@pytest.mark.parametrize("number", [3, 0])
def test_nobody_waits_for_work_that_might_have_been_launched_later(number: int) -> None:
    assert edges(_launched_unrecorded(number), EdgeKind.WAIT) == []


def _launched_unrecorded(number: int) -> DependencyGraph:
    """A device wait, numbered 2, over work whose launch was not recorded."""
    rows = [
        Row("cuda_runtime", "cudaLaunchKernel", 0, 1, 1, 1),
        Row("cuda_runtime", "cudaDeviceSynchronize", 4, 20, 1, 2),
        Row("kernel", "gemm", 10, 12, 7, number or UNKNOWN),
    ]
    return dependency_graph(as_events(rows))


def test_a_trace_without_launches_has_no_graph() -> None:
    with pytest.raises(NotObservable, match="launched"):
        dependency_graph(drawn(host="..ooo.."))


def test_an_empty_trace_has_no_graph() -> None:
    with pytest.raises(NotObservable, match="holds no"):
        dependency_graph(as_events([]))


def test_a_wait_that_found_the_work_done_is_held_by_nothing() -> None:
    graph = dependency_graph(drawn(host="LL..........SS..", s7=".....kk"))
    (wait,) = np.flatnonzero(graph.nodes.kind == NodeKind.WAIT)
    assert graph.nodes.dur[wait] == 2 * US
    assert edges(graph, EdgeKind.WAIT) == [(7, 14, 5)]  # the usual return, far from binding


def test_a_pinned_copy_call_waits_for_nothing() -> None:
    graph = dependency_graph(drawn(host=".CCCCCCCCCCCC..", s7="......ccc"))
    assert edges(graph, EdgeKind.WAIT) == []


def test_work_that_ended_after_the_wait_was_not_awaited() -> None:
    graph = dependency_graph(drawn(host="LL..SSS....", s7="....kkkkkkkk"))
    assert edges(graph, EdgeKind.WAIT) == []


def test_a_queue_with_room_holds_no_launch() -> None:
    graph = dependency_graph(as_events(simulate([("kernel", 2, 9)] * 1024).rows))
    assert edges(graph, EdgeKind.QUEUE) == []


def test_overlapping_work_of_a_stream_is_not_in_order() -> None:
    graph = dependency_graph(drawn(host="L.L....", s7="....kkkkkk", s8=".....kkkk"))
    assert edges(graph, EdgeKind.STREAM_ORDER) == []


# What is one.


def test_a_launch_reaches_from_its_call_to_its_kernel() -> None:
    graph = dependency_graph(drawn(host="o.LL......", s7="........kkk"))
    assert edges(graph, EdgeKind.LAUNCH) == [(2, 8, 6)]
    assert graph.span_ns == 11 * US
    graph.self_check()


def test_a_busy_stream_holds_its_next_kernel() -> None:
    graph = dependency_graph(drawn(host="L.L.......", s7="......kkkkkkkkkk..kk"))
    assert edges(graph, EdgeKind.STREAM_ORDER) == [(16, 18, 2)]
    assert edges(graph, EdgeKind.LAUNCH) == [(0, 6, 6), (2, 18, 6)]


def test_one_graph_launch_starts_many_kernels() -> None:
    events = drawn(host="o.LL.......", s7=".......kk.kk")
    events.correlation[events.of(("kernel",))] = 1
    graph = dependency_graph(events)
    assert [start for _, start, _ in edges(graph, EdgeKind.LAUNCH)] == [7, 10]
    graph.self_check()


def test_a_wait_ends_after_the_awaited_work() -> None:
    graph = dependency_graph(drawn(host="LL..SSSSSSSSSSSSSS..", s7="......kkkkkkkk"))
    assert edges(graph, EdgeKind.WAIT) == [(14, 18, 4)]
    (wait,) = np.flatnonzero(graph.nodes.kind == NodeKind.WAIT)
    assert graph.nodes.dur[wait] == 2 * US
    graph.self_check()


def test_a_pageable_copy_waits_for_itself() -> None:
    graph = dependency_graph(drawn(host="oPPPPPPPPPPPP..", s7="......ppp"))
    assert edges(graph, EdgeKind.WAIT) == [(9, 13, 4)]


def test_a_device_wait_waits_for_every_stream() -> None:
    graph = dependency_graph(
        drawn(host="L.L.DDDDDDDDDDDDDD..", s7=".....kkkk", s8=".......kkkkkkk")
    )
    assert [end for end, _, _ in edges(graph, EdgeKind.WAIT)] == [9, 14]


def test_a_stream_waits_for_another_ones_event() -> None:
    graph = dependency_graph(
        drawn(host="LL.E.V.LL......", s7="......kkkkkkk", s8="..............nnnn")
    )
    assert edges(graph, EdgeKind.EVENT) == [(13, 14, 1)]
    assert int((graph.nodes.kind == NodeKind.COMMUNICATION).sum()) == 1


def test_the_recorded_event_says_which_stream_is_awaited() -> None:
    picture = "L.L.E.L.V.LL..."
    lanes = {"s7": "......kk..", "s8": ".......kkkkkk", "s9": "........k......kk"}
    events = drawn(host="o" + picture, **lanes)
    events.correlation[events.named(("cudaEventRecord", "cudaStreamWaitEvent"))] = (91, 92)
    inferred = dependency_graph(events)
    assert len(edges(inferred, EdgeKind.EVENT)) == 2
    told = recorded(events, correlation=92, stream=9, on_stream=8, record=91)
    assert edges(dependency_graph(told), EdgeKind.EVENT) == [(13, 15, 1)]


def recorded(events: Events, correlation: int, stream: int, on_stream: int, record: int) -> Events:
    """The same trace with Kineto's own record of a stream's wait for another."""
    columns = {
        name: np.append(getattr(events, name), value)
        for name, value in {
            "start": events.start[-1],
            "dur": 0,
            "name": 0,
            "cat": len(events.categories),
            "stack": -1,
            "pid": 0,
            "tid": stream,
            "correlation": correlation,
            "external": -1,
            "nbytes": -1,
            "order": len(events),
        }.items()
    }
    sync = DeviceSync(len(events), "Stream Wait Event", stream, on_stream, record)
    categories = (*events.categories, "cuda_sync")
    return replace(events, categories=categories, syncs=(sync,), **columns)


def test_threads_that_take_turns_are_one_lane() -> None:
    graph = dependency_graph(
        drawn(host="LL........LL...", t2="....LL..........", s7="......kk.kk.....kk")
    )
    assert graph.resources[0] == "host thread 1 and 2"


def test_threads_that_run_at_once_keep_their_own_lanes() -> None:
    graph = dependency_graph(drawn(host="LLL.LLL.LLL", t2="LL.LLL.LLL.", s7="......k.k.k.k.k.k.k"))
    assert graph.resources[:2] == ("host thread 1", "host thread 2")
    graph.self_check()


def test_a_full_queue_holds_the_launch_back() -> None:
    machine = simulate([("kernel", 2, 9)] * 1400)
    graph = dependency_graph(as_events(machine.rows))
    held = [e for e in edges(graph, EdgeKind.QUEUE) if e[0] == e[1]]
    assert len(held) > 50
    graph.self_check()


def test_what_runs_on_from_before_the_step_is_in_it() -> None:
    graph = dependency_graph(
        drawn(host="L......LL.......", s7=".....kkkkkkk.kkk"), (StepWindow(0, 7 * US, 16 * US),)
    )
    device = graph.nodes.kind == NodeKind.KERNEL
    assert (graph.nodes.dur[device] // US).tolist() == [5, 3]
    graph.self_check()


# The replay.


@settings(deadline=None)
@given(PROGRAMS)
def test_the_replay_gives_any_timeline_back(program: list[tuple[str, int, int]]) -> None:
    machine = simulate(program)
    events = as_events(machine.rows)
    graph = dependency_graph(events, events.steps())
    graph.self_check()
    assert graph.span_ns == machine.span * US


CALLS = (
    "cudaLaunchKernel",
    "cudaMemcpyAsync",
    "cudaMemcpy",
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "cudaEventRecord",
    "cudaStreamWaitEvent",
)
MOMENTS = (st.integers(0, 60), st.integers(0, 40))
NONSENSE = st.one_of(
    st.builds(Row, st.just("cuda_runtime"), st.sampled_from(CALLS), *MOMENTS, st.integers(1, 3),
              st.integers(-1, 6)),
    st.builds(Row, st.just("kernel"), st.just("gemm"), *MOMENTS, st.integers(7, 9),
              st.integers(-1, 6)),
    st.builds(Row, st.just("gpu_memcpy"), st.just("Memcpy DtoH (Device -> Pageable)"), *MOMENTS,
              st.integers(7, 9), st.integers(-1, 6)),
    st.builds(Row, st.just("cpu_op"), st.just("aten::op"), *MOMENTS, st.integers(1, 3)),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(NONSENSE, max_size=30), st.booleans())
def test_even_a_trace_that_makes_no_sense_is_given_back(rows: list[Row], window: bool) -> None:
    steps = (StepWindow(0, 10 * US, 50 * US),) if window else ()
    try:
        graph = dependency_graph(as_events(rows), steps)
    except NotObservable:
        return
    graph.self_check()
    critical_path(graph).self_check()
    what_if(graph, [WithoutWaits(tuple(graph.wait_rows().tolist()))]).self_check()


def test_typical_delays_of_a_machine_with_fixed_costs_reproduce_it() -> None:
    machine = simulate([("python", 3, 0), ("kernel", 2, 30), ("wait", 0, 0)] * 5)
    events = as_events(machine.rows)
    found = dependency_graph(events, events.steps()).calibration
    assert found.error == 0
    assert found.measured_ns == machine.span * US


def test_a_kernel_that_was_strangely_late_shows_in_the_calibration() -> None:
    host = "LL......LL......LL......LL"
    regular = drawn(host=host, s7=".....k" + ".......k" * 2)
    assert dependency_graph(regular).calibration.error == 0
    late = drawn(host=host, s7=".....k" + ".......k" * 2 + "." * 50 + "kk")
    assert dependency_graph(late).calibration.error == pytest.approx(1 - 31 / 74)


def test_the_table_has_one_row_per_step_and_no_numbers_where_there_is_no_graph() -> None:
    events = drawn(host="LL........oo....", s7=".....kk", steps="aaaaaaaabbbbbbbb")
    steps = (StepWindow(0, 0, 8 * US), StepWindow(1, 8 * US, 16 * US))
    assert calibration_table(events, steps).rows == (
        (0, 8 * US, 8 * US, 0.0),
        (1, None, None, None),
    )


@needs_corpus()
def test_real_traces_are_given_back_to_the_nanosecond(trace) -> None:
    events = read_trace(trace)
    try:
        dependency_graph(events, events.steps()).self_check()
    except NotObservable:
        assert trace.name == "cpu_only.json.gz"


@needs_corpus(
    "a100_nccl_collectives", "a100_stacks_old_style", "h100_owlv2_large", "h100_qwen1",
    "mi300_qwen1", "v100_nccl_ns",
)  # fmt: skip
def test_typical_delays_reproduce_real_steps(trace) -> None:
    """The largest median error seen on these is 1.7 % (an older A100 trace in whole µs)."""
    events = read_trace(trace)
    errors = [found.error for found in calibrations(events, events.steps())]
    assert statistics.median(errors) <= 0.02


@settings(deadline=None)
@given(PROGRAMS, st.randoms(use_true_random=False))
def test_a_replay_by_chains_is_the_replay_node_by_node(
    program: list[tuple[str, int, int]], chance: random.Random
) -> None:
    events = as_events(simulate(program).rows)
    graph = dependency_graph(events, events.steps())
    dur = [chance.randrange(9_000) for _ in range(len(graph.nodes))]
    delay = [chance.randrange(9_000) for _ in range(len(graph.edges.src))]
    found = replay(np.array(dur), graph.edges, np.array(delay), graph.entries)
    assert found.tolist() == visited(graph, dur, delay)


def test_without_full_queues_only_their_edges_go() -> None:
    full = as_events(simulate([("kernel", 1, 3)] * 1100).rows)
    graph = dependency_graph(full, full.steps())
    assert (graph.edges.kind == int(EdgeKind.QUEUE)).any()
    assert graph.unqueued_ns == graph.span_ns  # the host may run ahead, the device decides


def test_a_wait_holds_until_work_launched_before_the_recording_is_done() -> None:
    number = 1  # below the wait's own, and no launch call in this trace bears it
    rows = [
        Row("cuda_runtime", "cudaDeviceSynchronize", 4, 20, 1, 2),
        Row("cuda_runtime", "cudaLaunchKernel", 26, 1, 1, 3),
        Row("kernel", "gemm", 10, 12, 7, number),
        Row("kernel", "gemm", 30, 4, 7, 3),
    ]
    graph = dependency_graph(as_events(rows))
    graph.self_check()
    assert edges(graph, EdgeKind.WAIT) == [(18, 20, 2)]  # in µs from the first call


def test_a_device_clock_a_little_ahead_does_not_hide_what_was_waited_for() -> None:
    rows = [
        Row("cuda_runtime", "cudaLaunchKernel", 0, 1, 1, 1),
        Row("cuda_runtime", "cudaLaunchKernel", 2, 1, 1, 2),
        Row("cuda_runtime", "cudaDeviceSynchronize", 4, 20, 1, 3),
        Row("kernel", "gemm", 5, 14, 7, 1),
        Row("kernel", "gemm", 20, 6, 7, 2),
    ]
    graph = dependency_graph(as_events(rows))
    graph.self_check()
    assert edges(graph, EdgeKind.WAIT) == [(19, 24, 5)]
