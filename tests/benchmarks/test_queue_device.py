"""The software device: it keeps the order of its queues, and its traces read like any other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import what_if as benchmark
from benchmarks._queue_device import QUEUE, QueueDevice
from benchmarks._queue_host import MAIN, SIDE, Host, captured, written
from benchmarks._queue_programs import PAIRS, copies_ahead, tokens_captured
from perfkit.analysis.dependency_graph import dependency_graph
from perfkit.io.chrome import read_trace

MS = 1_000_000


@pytest.fixture(scope="module")
def started() -> Iterator[QueueDevice]:
    with QueueDevice() as device:
        yield device


@pytest.fixture
def device(started: QueueDevice) -> QueueDevice:
    started.drained()
    return started


def test_nothing_ran_where_nothing_was_launched(device: QueueDevice) -> None:
    device.synchronise(MAIN)
    assert device.drained() == []


def test_a_stream_runs_one_thing_after_the_other_for_as_long_as_asked(device: QueueDevice) -> None:
    asked = [(number, 100_000 + number) for number in range(1, 9)]
    for number, dur in asked:
        device.kernel(MAIN, number, number, dur)
    done = device.drained()
    assert [each.correlation for each in done] == [number for number, _ in asked]
    assert all(
        each.end_ns - each.start_ns >= dur for each, (_, dur) in zip(done, asked, strict=True)
    )
    assert all(a.end_ns <= b.start_ns for a, b in pairwise(done))


def test_a_wait_returns_after_what_it_waits_for_and_a_launch_does_not_wait(
    device: QueueDevice,
) -> None:
    device.kernel(MAIN, 1, 1, 20 * MS)
    launched = time.perf_counter_ns()
    event = device.record(MAIN)
    device.kernel(MAIN, 1, 2, 20 * MS)
    device.host_waits(event)
    waited = time.perf_counter_ns()
    device.synchronise(MAIN)
    synchronised = time.perf_counter_ns()
    first, second = device.drained()
    assert launched < first.end_ns <= waited
    assert second.end_ns <= synchronised


def test_a_stream_waits_for_the_event_of_another(device: QueueDevice) -> None:
    device.kernel(SIDE, 1, 1, 5 * MS)
    device.stream_waits(MAIN, device.record(SIDE))
    device.kernel(MAIN, 1, 2, MS)
    after, before = device.drained()
    assert (after.correlation, before.correlation) == (2, 1)
    assert before.end_ns <= after.start_ns


def test_a_launch_blocks_while_the_queue_is_full(device: QueueDevice) -> None:
    device.kernel(MAIN, 1, 1, 50 * MS)
    for number in range(QUEUE):
        device.kernel(MAIN, 1, 2 + number, 1_000)
    returned = time.perf_counter_ns()
    assert returned >= device.drained()[0].end_ns


def test_a_graph_is_one_entry_and_runs_in_order(device: QueueDevice) -> None:
    graph = device.captured([(5, 1_000), (6, 2_000), (7, 3_000)])
    device.graph(MAIN, 9, graph)
    assert [(done.name, done.correlation) for done in device.drained()] == [(5, 9), (6, 9), (7, 9)]


@pytest.mark.parametrize("program", [copies_ahead, tokens_captured])
def test_its_traces_are_read_and_replayed_to_the_nanosecond(
    device: QueueDevice, tmp_path: Path, program
) -> None:
    span, recorded = captured(device, program, 2)
    written(recorded, tmp_path / "trace.json.gz")
    events = read_trace(tmp_path / "trace.json.gz")
    events.self_check()
    assert events.gaps == ()
    assert len(events.steps()) == 2
    graph = dependency_graph(events, events.steps())
    graph.self_check()
    assert abs(graph.span_ns - span) <= 2


def test_what_was_recorded_before_is_forgotten(device: QueueDevice) -> None:
    host = Host(device)
    host.op("aten::mm", 1, [("gemm", 10)])
    host.forget()
    assert host.recorded() == []


def test_every_pair_runs_and_is_predicted_from_its_description(tmp_path: Path) -> None:
    names = benchmark.capture(tmp_path, rounds=1)
    assert names == list(PAIRS)
    for name in names:
        row = benchmark.predict(tmp_path, name)
        assert row.device == "software device"
        assert 0 <= row.low_ns <= row.likely_ns <= row.high_ns <= row.before_ns
        assert row.likely_ns > 0
        assert row.after_ns > 0
