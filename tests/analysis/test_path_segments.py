"""Segments name operator and line, and together are the whole path."""

from __future__ import annotations

import pytest

from perfkit.analysis.critical_path import critical_path
from perfkit.analysis.dependency_graph import dependency_graph
from perfkit.analysis.path_segments import segments, segments_table
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.events import StepWindow
from perfkit.model.syncs import Frame
from tests.analysis.test_critical_path import path_of
from tests.kineto_traces import document, launch, needs_corpus, on_device, span, write
from tests.timelines import US


def test_segments_name_the_operator_and_the_line(tmp_path) -> None:
    events = read_trace(
        write(
            tmp_path / "t.json",
            document(
                [
                    span("python_function", "model.py(7): forward", 0, 100),
                    span("python_function", "torch/nn/modules/linear.py(3): forward", 1, 20),
                    span("cpu_op", "aten::linear", 2, 10, **{"External id": 1}),
                    *launch(
                        span("", "cudaLaunchKernel", 4, 2),
                        on_device("kernel", "gemm", 10, 80),
                        3,
                        1,
                    ),
                    span("cuda_runtime", "cudaDeviceSynchronize", 30, 65),
                ]
            ),
        )
    )
    (first, *others) = segments(critical_path(dependency_graph(events)))
    assert (first.category, first.name, first.op, first.total_ns) == (
        "kernel",
        "gemm",
        "aten::linear",
        80 * US,
    )
    assert first.place == Frame("model.py", 7, "forward")
    assert sum(s.total_ns for s in (first, *others)) == 93 * US


def test_segments_without_stacks_have_no_line() -> None:
    path = path_of("oLL...SSSSSSSSSS.", s7="......kkkkkk")
    table = segments_table(segments(path), steps=2, length_ns=path.length_ns)
    kernel = ("kernel", "gemm", "aten::op", None, None, None, 0.5, 3 * US, 6 / 17)
    assert table.rows[0] == kernel
    assert sum(float(row[-1] or 0) for row in table.rows) == pytest.approx(1)


def test_loading_is_not_the_work_of_the_operator_it_leads_to(tmp_path) -> None:
    loader = span("user_annotation", "enumerate(DataLoader)#It.__next__", 0, 40)
    work = on_device("kernel", "gemm", 60, 10)
    trace = [
        loader,
        span("cpu_op", "aten::mm", 45, 10),
        *launch(span("", "cudaLaunchKernel", 50, 2), work, 3, 1),
    ]
    events = read_trace(write(tmp_path / "t.json", document(trace)))
    path = critical_path(dependency_graph(events, (StepWindow(0, 0, 80_000),)))
    path.self_check()
    assert path.by_class["loading"] == 40 * US
    (first, *_) = segments(path)
    assert (first.category, first.name, first.op) == ("loading", "DataLoader", None)


def test_segments_are_the_longest_first_and_no_more_than_asked() -> None:
    found = segments(path_of("oLL...SSSSSSSSSS.", s7="......kkkkkk"), top=2)
    assert [s.category for s in found] == ["kernel", "launch"]


def test_a_call_stack_gives_the_line_of_the_statement(tmp_path) -> None:
    stack = {"Call stack": "model.py(9): forward;train.py(3): main"}
    work = on_device("kernel", "gemm", 10, 80)
    trace = [
        span("cpu_op", "aten::mm", 2, 10, **{"External id": 1}, **stack),
        *launch(span("", "cudaLaunchKernel", 4, 2), work, 3, 1),
    ]
    events = read_trace(write(tmp_path / "t.json", document(trace)))
    (first, *_) = segments(critical_path(dependency_graph(events)))
    assert (first.op, first.place) == ("aten::mm", Frame("model.py", 9, "forward"))


@needs_corpus()
def test_segments_of_real_traces_are_the_whole_path(trace) -> None:
    events = read_trace(trace)
    try:
        path = critical_path(dependency_graph(events, events.steps()[:2]))
    except NotObservable:
        assert trace.name == "cpu_only.json.gz"
        return
    assert sum(s.total_ns for s in segments(path, top=1_000_000)) == path.length_ns
