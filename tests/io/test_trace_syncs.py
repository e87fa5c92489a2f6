from __future__ import annotations

from pathlib import Path
from typing import Any

from perfkit.io.chrome import read_trace
from perfkit.io.trace_syncs import trace_syncs
from perfkit.model.syncs import Frame, Sync
from tests.kineto_traces import (
    document,
    gpu_events,
    launch,
    needs_corpus,
    on_device,
    read,
    span,
    write,
)


def syncs_of(tmp_path: Path, *spans: dict[str, Any]) -> tuple[Sync, ...]:
    return trace_syncs(read_trace(write(tmp_path / "t.json", document(list(spans)))))


def copy(name: str, *, ends_after: float, call: str = "cudaMemcpyAsync") -> list[dict[str, Any]]:
    """A copy whose call returns at 30 µs and whose work ends `ends_after` µs later."""
    work = on_device("gpu_memcpy", name, 12, 18 + ends_after, bytes=64)
    return launch(span("", call, 10, 20), work, 3, 2)


COPY_OP = span("cpu_op", "aten::copy_", 5, 50, **{"External id": 2})


# What is no wait.


def test_a_trace_without_waits_has_none(tmp_path: Path) -> None:
    assert syncs_of(tmp_path, span("cpu_op", "aten::add", 0, 5)) == ()


def test_copies_from_pinned_memory_are_no_waits(tmp_path: Path) -> None:
    name = "Memcpy HtoD (Pinned -> Device)"
    assert syncs_of(tmp_path, COPY_OP, *copy(name, ends_after=-5)) == ()


def test_copies_between_devices_are_no_waits(tmp_path: Path) -> None:
    name = "Memcpy DtoD (Device -> Device)"
    assert syncs_of(tmp_path, COPY_OP, *copy(name, ends_after=-5)) == ()


def test_pageable_copies_that_return_before_the_work_ended_are_no_waits(tmp_path: Path) -> None:
    name = "Memcpy HtoD (Pageable -> Device)"
    assert syncs_of(tmp_path, COPY_OP, *copy(name, ends_after=4)) == ()


def test_waits_of_one_stream_for_another_are_no_waits_of_the_host(tmp_path: Path) -> None:
    assert syncs_of(tmp_path, span("cuda_runtime", "cudaStreamWaitEvent", 1, 9)) == ()


def test_waits_recorded_by_the_device_are_not_counted_again(tmp_path: Path) -> None:
    assert syncs_of(tmp_path, span("cuda_sync", "Stream Sync", 1, 9)) == ()


def test_the_profilers_own_last_wait_is_left_out(tmp_path: Path) -> None:
    op = span("cpu_op", "aten::add", 0, 5)
    assert syncs_of(tmp_path, op, span("cuda_runtime", "cudaDeviceSynchronize", 50, 9)) == ()


def test_device_waits_between_steps_are_the_profilers(tmp_path: Path) -> None:
    step = span("user_annotation", "ProfilerStep#0", 100, 50)
    wait = span("cuda_runtime", "cudaDeviceSynchronize", 10, 9)
    assert syncs_of(tmp_path, wait, step, span("cpu_op", "aten::add", 110, 5)) == ()


# What is one.


def test_a_read_is_one_sync_with_copy_and_wait_together(tmp_path: Path) -> None:
    first, second = trace_syncs(read_trace(write(tmp_path / "t.json", document(gpu_events()))))
    assert (first.step, second.step) == (0, 1)
    for sync in (first, second):
        assert (sync.op, sync.kind, sync.direction) == ("aten::item", "item", "d2h")
        assert (sync.count, sync.nbytes, sync.blocked_ns) == (1, 4, 60_000)
        assert sync.seen_by == ("trace",)
        assert sync.stack == ()


def test_equal_waits_of_one_step_are_counted_together(tmp_path: Path) -> None:
    (sync,) = syncs_of(tmp_path, *read(100, 10), *read(300, 20), *read(500, 30))
    assert (sync.count, sync.nbytes, sync.blocked_ns, sync.step) == (3, 12, 180_000, None)


def test_a_mask_index_is_the_cause_of_the_nonzero_in_it(tmp_path: Path) -> None:
    (sync,) = syncs_of(
        tmp_path,
        span("cpu_op", "aten::index", 0, 100),
        span("cpu_op", "aten::nonzero", 10, 80),
        span("cuda_runtime", "cudaStreamSynchronize", 40, 7),
    )
    assert (sync.op, sync.kind, sync.direction) == ("aten::index", "mask_index", "d2h")


def test_pageable_copies_that_waited_for_the_work_are_waits(tmp_path: Path) -> None:
    name = "Memcpy HtoD (Pageable -> Device)"
    (sync,) = syncs_of(tmp_path, COPY_OP, *copy(name, ends_after=-5))
    assert (sync.op, sync.kind, sync.direction) == ("aten::copy_", "h2d", "h2d")
    assert (sync.nbytes, sync.blocked_ns) == (64, 20_000)


def test_rocms_copies_wait_by_their_nature(tmp_path: Path) -> None:
    spans = copy("Memcpy DtoD (Device -> Device)", ends_after=9, call="hipMemcpyWithStream")
    item = span("cpu_op", "aten::item", 4, 60), span("cpu_op", "aten::_local_scalar_dense", 5, 50)
    (sync,) = syncs_of(tmp_path, *item, *spans)
    assert (sync.op, sync.direction, sync.blocked_ns) == ("aten::item", "d2h", 20_000)


def test_explicit_waits_bear_the_name_of_the_api_call(tmp_path: Path) -> None:
    syncs = syncs_of(
        tmp_path,
        span("cuda_runtime", "cudaDeviceSynchronize", 0, 5),
        span("cuda_runtime", "cudaEventSynchronize", 10, 5),
        span("cuda_driver", "cuStreamSynchronize", 20, 5),
        span("cpu_op", "aten::add", 50, 5),
    )
    assert [(sync.op, sync.kind, sync.direction) for sync in syncs] == [
        ("torch.cuda.synchronize", "synchronize", "none"),
        ("torch.cuda.Event.synchronize", "synchronize", "none"),
        ("torch.cuda.Stream.synchronize", "synchronize", "none"),
    ]


def test_an_operator_of_another_thread_is_no_cause(tmp_path: Path) -> None:
    other = span("cpu_op", "aten::nonzero", 0, 100, thread=1)
    (sync,) = syncs_of(tmp_path, other, span("cuda_runtime", "cudaStreamSynchronize", 10, 5))
    assert sync.op == "torch.cuda.Stream.synchronize"


def test_waits_under_the_engines_functions_are_backward(tmp_path: Path) -> None:
    engine = span("cpu_op", "autograd::engine::evaluate_function: IndexBackward0", 90, 150)
    (sync,) = syncs_of(tmp_path, engine, *read(100, 10))
    assert sync.phase == "backward"


def test_python_frames_give_the_place_without_machinery(tmp_path: Path) -> None:
    frames = [
        span("python_function", "threading.py(1032): _bootstrap", 0, 900),
        span("python_function", "/home/me/train.py(12): step", 10, 800),
        span("python_function", "model/moe.py(40): forward", 20, 700),
        span("python_function", "torch/nn/modules/module.py(1751): _call_impl", 30, 600),
        span("python_function", "<built-in method item of Tensor object>", 40, 500),
    ]
    (sync,) = syncs_of(tmp_path, *frames, *read(100, 10))
    assert sync.stack == (
        Frame("model/moe.py", 40, "forward"),
        Frame("/home/me/train.py", 12, "step"),
    )


def test_call_stack_arguments_give_the_place(tmp_path: Path) -> None:
    spans = read(100, 10)
    stack = "model/moe.py(44): forward;torch/nn/modules/module.py(9): f;train.py(13): <module>"
    spans[0] = {**spans[0], "args": {"Call stack": stack}}
    (sync,) = syncs_of(tmp_path, *spans)
    assert sync.stack == (Frame("model/moe.py", 44, "forward"), Frame("train.py", 13, "<module>"))


@needs_corpus("h100_qwen1.5_0.5b", "mi300_qwen1.5_0.5b")
def test_the_mask_check_of_a_real_model_is_found(trace: Path) -> None:
    items = [sync for sync in trace_syncs(read_trace(trace)) if sync.op == "aten::item"]
    (item,) = items
    assert (item.count, item.direction, item.step) == (1, "d2h", 6)
    assert item.site is not None and item.site.function == "_ignore_causal_mask_sdpa"


@needs_corpus("h100_owlv2_large")
def test_the_copies_of_a_real_pipeline_are_found(trace: Path) -> None:
    syncs = trace_syncs(read_trace(trace))
    copies = [sync for sync in syncs if sync.op == "aten::copy_"]
    assert sum(sync.count for sync in copies) == 80


@needs_corpus("v100_nccl_ns", "b200_eager")
def test_real_traces_without_waits_have_none(trace: Path) -> None:
    assert trace_syncs(read_trace(trace)) == ()
