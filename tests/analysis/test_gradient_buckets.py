"""Which collectives could travel together, and what that would save."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfkit.analysis.gradient_buckets import (
    MERGED,
    bandwidth,
    gradient_buckets,
    gradient_buckets_table,
)
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.events import Events
from tests.kineto_traces import Event, document, launch, needs_corpus, on_device, span, write

US = 1_000
HOOK = "autograd::engine::evaluate_function: torch::autograd::AccumulateGrad"
WIDTH, EVERY, LONG = 20, 40, 4_000


def one_rank(
    folder: Path,
    collectives: int,
    *,
    elements: int | None = 1024,
    kernels: int = 0,
    hidden: bool = False,
    around: str = "",
) -> Events:
    """A step of 4 ms with all-reduces of 20 µs; `kernels` are launched before each.

    With `hidden` something computes all the time; `around` names an operator around each launch.
    """
    events: list[Event] = [
        span("user_annotation", "ProfilerStep#1", 1_000, LONG),
        span("cpu_op", "aten::linear", 1_000, 5),
        *_work("gemm", 1_006, 1_010, LONG - 20 if hidden else 5, 1),
    ]
    for number in range(collectives):
        at = 1_100 + EVERY * number
        for extra in range(kernels):
            events += _work("small", at + extra, at + extra + 1, 1, 1_000 + 10 * number + extra)
        told = {} if elements is None else {"In msg nelems": elements, "Out msg nelems": elements}
        args = {"Collective name": "allreduce", "dtype": "Float", "Group size": 2, **told}
        events.append(span("cpu_op", "record_param_comms", at + 5, 4, **args))
        if around:
            events.append(span("cpu_op", around, at + 4, 10))
        call = span("", "cudaLaunchKernelExC", at + 6, 1)
        work = on_device("kernel", "ncclDevKernel_AllReduce", at + 10, WIDTH, stream=20)
        events += launch(call, {**work, "tid": 20}, 100_000 + number, None)
    return read_trace(write(folder / "rank.json", document(events)))


def _work(name: str, called: float, at: float, width: float, correlation: int) -> list[Event]:
    call = span("", "cudaLaunchKernel", called, 0.5)
    return launch(call, on_device("kernel", name, at, width), correlation, None)


def test_those_with_a_layer_in_between_cannot_be_merged(tmp_path: Path) -> None:
    assert gradient_buckets(one_rank(tmp_path, 5, kernels=3)) == ()


def test_without_sizes_nothing_can_be_told(tmp_path: Path) -> None:
    with pytest.raises(NotObservable, match="sizes"):
        gradient_buckets(one_rank(tmp_path, 5, elements=None))


@pytest.mark.parametrize(("kernels", "around"), [(0, ""), (2, ""), (3, HOOK), (5, "FSDP::reduce")])
def test_neighbours_and_hooks_of_gradients_can(tmp_path: Path, kernels: int, around: str) -> None:
    (found,) = gradient_buckets(one_rank(tmp_path, 5, kernels=kernels, around=around))
    found.self_check()
    assert (len(found.small), len(found.large), found.small_bytes) == (5, 0, 5 * 4096)
    assert found.latency_ns == WIDTH * US
    assert found.merged(1) == 1


def test_what_merging_saves_is_the_latencies_that_are_exposed(tmp_path: Path) -> None:
    (shown,) = gradient_buckets(one_rank(tmp_path, 5))
    assert shown.exposed_ns == 5 * WIDTH * US
    assert shown.saving_ns(1) == (0, 4 * WIDTH * US, 4 * WIDTH * US)
    (hidden,) = gradient_buckets(one_rank(tmp_path, 5, hidden=True))
    assert hidden.saving_ns(1) == (0, 0, 0)


def test_large_ones_are_kept_apart_with_their_bandwidth(tmp_path: Path) -> None:
    (found,) = gradient_buckets(one_rank(tmp_path, 2, elements=MERGED // 4))
    found.self_check()
    assert (len(found.small), len(found.large)) == (0, 2)
    assert bandwidth(found.large) == pytest.approx(MERGED / (WIDTH * 1e-6))
    (row,) = gradient_buckets_table((found,)).records()
    assert (row["small"], row["latency_ns"], row["large"]) == (0, None, 2)


@needs_corpus("a100_nccl_collectives")
def test_the_buckets_of_a_real_data_parallel_step_are_large(trace: Path) -> None:
    (found, *_) = gradient_buckets(read_trace(trace))
    found.self_check()
    assert found.small == () and len(found.large) > 4
