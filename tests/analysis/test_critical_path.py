"""The critical path is as long as the step, and takes the work that decided when things began."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from perfkit.analysis.critical_path import (
    CLASSES,
    CriticalPath,
    critical_path,
    critical_path_table,
)
from perfkit.analysis.dependency_graph import dependency_graph
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from tests.analysis.test_dependency_graph import PROGRAMS
from tests.kineto_traces import needs_corpus
from tests.timelines import US, as_events, drawn, simulate


def path_of(host: str, **lanes: str) -> CriticalPath:
    events = drawn(host, steps="a" * len(host), **lanes)
    path = critical_path(dependency_graph(events, events.steps()))
    path.self_check()
    return path


def classes(path: CriticalPath) -> dict[str, int]:
    """µs of the classes that lie on the path."""
    return {name: ns // US for name, ns in path.by_class.items() if ns}


# What is not on it.


def test_a_kernel_that_nobody_waits_for_is_not_on_the_path() -> None:
    path = path_of("o.LL.........", s7=".......kkkk")
    assert classes(path) == {"aten": 1, "python": 10, "launch": 2}


def test_host_time_in_the_shadow_of_a_wait_is_not_on_the_path() -> None:
    path = path_of("oLL...SSSSSSSSSS.", s7="......kkkkkk")
    assert classes(path) == {"aten": 1, "launch": 5, "kernel": 6, "sync": 4, "python": 1}


def test_a_late_start_that_the_launch_call_explains_is_a_launch() -> None:
    events = drawn("o" + "L" * 150 + "....", steps="a" * 155, s7="." * 149 + "kk")
    assert "unrecorded" not in classes(critical_path(dependency_graph(events, events.steps())))


# What is.


def test_a_late_start_on_an_idle_device_is_recorded_by_nobody() -> None:
    path = path_of("oLL" + "." * 30, s7="." * 200 + "kk")
    assert classes(path) == {"aten": 1, "launch": 2, "unrecorded": 197, "kernel": 2}


def test_a_late_start_behind_another_stream_is_recorded() -> None:
    path = path_of("oLL.LL" + "." * 30, s7="....." + "k" * 195, s8="." * 200 + "kk")
    assert "unrecorded" not in classes(path)


def test_a_busy_stream_carries_the_path_over_its_gaps() -> None:
    path = path_of("oL.L......", s7="......kkkkkkkkkk..kk")
    assert classes(path) == {"aten": 1, "launch": 5, "kernel": 12, "device gap": 2}


def test_a_collective_that_holds_the_stream_is_communication() -> None:
    path = path_of("oLL...SSSSSSSSSS.", s7="......nnnnnn")
    assert classes(path)["communication"] == 6


def test_a_copy_that_the_host_waits_for_is_a_copy() -> None:
    path = path_of("oPPPPPPPPPPPP..", s7="......ppp")
    assert classes(path) == {"aten": 1, "launch": 5, "copy": 3, "sync": 4, "python": 2}


def test_a_full_queue_puts_the_device_on_the_path() -> None:
    events = as_events(simulate([("kernel", 2, 9)] * 1400).rows)
    path = critical_path(dependency_graph(events, events.steps()))
    path.self_check()
    assert path.by_class["kernel"] == 1400 * 9 * US


def test_the_bound_leaves_out_delays_and_keeps_work() -> None:
    path = path_of("oL.L......", s7="......kkkkkkkkkk..kk")
    assert (path.bound_ns, path.host_ns, path.device_ns) == (13 * US, 10 * US, 12 * US)
    assert path.graph.span_ns == 20 * US


def test_the_table_has_every_class_and_shares_that_sum_to_one() -> None:
    table = critical_path_table(path_of("oLL...SSSSSSSSSS.", s7="......kkkkkk"))
    assert [row[0] for row in table.rows] == list(CLASSES)
    assert sum(float(row[2] or 0) for row in table.rows) == pytest.approx(1)


@settings(deadline=None)
@given(PROGRAMS)
def test_every_path_is_as_long_as_its_step(program: list[tuple[str, int, int]]) -> None:
    events = as_events(simulate(program).rows)
    path = critical_path(dependency_graph(events, events.steps()))
    path.self_check()
    assert bool((np.diff(path.graph.nodes.start[path.nodes]) >= 0).all())


@needs_corpus()
def test_paths_of_real_traces_are_as_long_as_their_steps(trace) -> None:
    events = read_trace(trace)
    try:
        path = critical_path(dependency_graph(events, events.steps()))
    except NotObservable:
        assert trace.name == "cpu_only.json.gz"
        return
    path.self_check()
