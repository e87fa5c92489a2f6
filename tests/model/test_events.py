from __future__ import annotations

from pathlib import Path

from perfkit.io.chrome import read_trace
from perfkit.model.events import DEVICE_WORK, Events, StepWindow
from tests.kineto_traces import document, gpu_events, launch, on_device, span, write


def events_of(tmp_path: Path, *spans: dict[str, object]) -> Events:
    return read_trace(write(tmp_path / "t.json", document(list(spans))))


def mark(number: object, ts: float, dur: float) -> dict[str, object]:
    return span("user_annotation", f"ProfilerStep#{number}", ts, dur)


def test_device_copies_of_step_marks_are_no_steps(tmp_path: Path) -> None:
    events = read_trace(write(tmp_path / "t.json", document(gpu_events())))
    assert events.steps() == (
        StepWindow(0, 1_000_000, 2_000_000),
        StepWindow(1, 2_000_250, 3_000_250),
    )


def test_marks_without_a_number_are_no_steps(tmp_path: Path) -> None:
    assert events_of(tmp_path, mark("x", 0, 10), mark("", 20, 10), mark("-1", 40, 10)).steps() == ()


def test_an_empty_mark_after_the_last_step_is_no_step(tmp_path: Path) -> None:
    op = span("cpu_op", "aten::add", 10, 10)
    steps = events_of(tmp_path, mark(0, 0, 100), op, mark(1, 100, 30)).steps()
    assert [step.number for step in steps] == [0]


def test_a_short_last_step_with_an_operator_stays(tmp_path: Path) -> None:
    ops = span("cpu_op", "aten::add", 10, 10), span("cpu_op", "aten::add", 101, 1)
    steps = events_of(tmp_path, mark(0, 0, 100), mark(1, 100, 3), *ops).steps()
    assert [step.number for step in steps] == [0, 1]


def many_operators(*at: float) -> list[dict[str, object]]:
    return [span("cpu_op", "aten::add", ts + i, 1) for ts in at for i in range(50)]


def test_a_last_mark_with_a_trace_of_the_programs_end_is_no_step(tmp_path: Path) -> None:
    left = span("cpu_op", "PythonDispatchMode", 201, 1)
    marks = mark(0, 0, 100), mark(1, 100, 100), mark(2, 200, 3)
    steps = events_of(tmp_path, *marks, left, *many_operators(10, 110)).steps()
    assert [step.number for step in steps] == [0, 1]


def test_a_last_step_that_lasts_stays_however_few_its_operators(tmp_path: Path) -> None:
    left = span("cpu_op", "aten::add", 201, 1)
    marks = mark(0, 0, 100), mark(1, 100, 100), mark(2, 200, 30)
    steps = events_of(tmp_path, *marks, left, *many_operators(10, 110)).steps()
    assert [step.number for step in steps] == [0, 1, 2]


def test_a_short_last_step_that_replays_a_graph_stays(tmp_path: Path) -> None:
    started = launch(
        span("", "cudaGraphLaunch", 201, 1), on_device("kernel", "node", 203, 40), 7, None
    )
    before = launch(
        span("", "cudaLaunchKernel", 101, 1), on_device("kernel", "gemm", 110, 40), 6, None
    )
    marks = mark(0, 0, 100), mark(1, 100, 100), mark(2, 200, 3)
    own = span("cpu_op", "replay", 200.5, 2)
    steps = events_of(tmp_path, *marks, own, *before, *started, *many_operators(10, 110)).steps()
    assert [step.number for step in steps] == [0, 1, 2]


def test_a_call_within_a_call_does_not_count_its_device_work_twice(tmp_path: Path) -> None:
    """A last mark whose 2 µs of work are a twentieth of the others' 40, however often they are named."""
    work = [
        launch(span("", "cudaLaunchKernel", at, 1), on_device("kernel", "k", at + 2, dur), at, None)
        for at, dur in ((1, 40), (101, 40), (201, 2))
    ]
    inner = span("cuda_driver", "cuLaunchKernel", 201.2, 0.5, correlation=201)
    marks = mark(0, 0, 100), mark(1, 100, 100), mark(2, 200, 3)
    own = span("cpu_op", "stop", 200.5, 0.2)
    plain = [*many_operators(10, 110), *(event for each in work for event in each)]
    for calls in (plain, [*plain, inner]):
        steps = events_of(tmp_path, *marks, own, *calls).steps()
        assert [step.number for step in steps] == [0, 1]


def test_marks_of_steps_that_ran_on_the_device_alone_stay(tmp_path: Path) -> None:
    steps = events_of(tmp_path, mark(0, 0, 100), mark(1, 100, 3)).steps()
    assert [step.number for step in steps] == [0, 1]


def test_the_only_mark_stays_even_without_operators(tmp_path: Path) -> None:
    assert events_of(tmp_path, mark(551, 0, 100)).steps() == (StepWindow(551, 0, 100_000),)


def test_repeated_step_numbers_are_kept_apart(tmp_path: Path) -> None:
    op = span("cpu_op", "aten::add", 150, 1)
    steps = events_of(tmp_path, mark(6, 0, 100), mark(6, 100, 100), op).steps()
    assert [step.number for step in steps] == [6, 6]


def test_a_trace_of_the_host_alone_has_no_device(tmp_path: Path) -> None:
    assert not events_of(tmp_path, span("cpu_op", "aten::add", 0, 1)).has_device()


def test_device_work_is_found_by_category(tmp_path: Path) -> None:
    events = read_trace(write(tmp_path / "t.json", document(gpu_events())))
    assert events.has_device()
    assert int(events.of(DEVICE_WORK).sum()) == 6
    assert int(events.named(["gemm"]).sum()) == 2
