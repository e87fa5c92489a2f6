"""The two costs of a sync: exact numbers, and who is to blame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from perfkit.analysis.device_work import device_work
from perfkit.analysis.sync_waits import WaitCost, blame, sync_records, sync_waits, sync_waits_table
from perfkit.analysis.trace_steps import trace_steps
from perfkit.io.chrome import read_trace
from perfkit.model.events import RUNTIME, UNKNOWN, Events
from tests.kineto_traces import document, launch, needs_corpus, on_device, span, write
from tests.trace_pictures import US, trace


def _waits(events: Events) -> tuple[WaitCost, ...]:
    work = device_work(events)
    found = sync_waits(events, trace_steps(events, work), work)
    for one in found:
        one.self_check()
    return found


def test_a_trace_without_waits_has_none() -> None:
    assert _waits(trace("step ssss\ncall  l... l=cudaLaunchKernel\ngpu   .kk. k=gemm")) == ()


DRAINED = """
    step  ssssssssssssssss
    op    ..aaaaaaaaa..... a=aten::item
    call  l..wwwwwww..l... l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   .kkkkkkkk....kk. k=gemm
"""


def test_the_device_idles_from_running_dry_until_work_arrives() -> None:
    (one,) = _waits(trace(DRAINED))
    assert one.wait.op == "aten::item"
    assert one.device_ran
    assert one.wait.blocked_ns == 7 * US
    assert one.idle_ns == 4 * US
    assert one.lost_ns == 4 * US
    assert blame([one]) == "bubble"


def test_a_device_that_goes_on_at_once_makes_the_wait_free() -> None:
    (one,) = _waits(
        trace("""
        step  ssssssssssssssss
        op    ..aaaaaaaaa..... a=aten::item
        call  l..wwwwwwwwl.... l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   .kkkkkkkkkkmm... k=gemm m=gemm2
        """)
    )
    assert one.idle_ns == 0
    assert blame([one]) == "queue drain"


def test_a_device_that_idled_before_is_not_the_waits_fault() -> None:
    (one,) = _waits(
        trace("""
        step  ssssssssssssssss
        op    ......aaa....... a=aten::item
        call  l......w....l... l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   .kk..........kk. k=gemm
        """)
    )
    assert not one.device_ran
    assert (one.idle_ns, one.lost_ns) == (6 * US, 1 * US)
    assert blame([one]) == "CPU-bound"


def test_queued_work_counts_as_a_device_that_runs() -> None:
    (one,) = _waits(
        trace("""
        step  ssssssssssss
        op    ..aaaaaaaa.. a=aten::item
        call  l..wwwwwww.l l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   .....kkkk..k k=gemm
        """)
    )
    assert one.device_ran


def test_the_last_wait_of_a_trace_has_no_known_idle_time() -> None:
    (one,) = _waits(
        trace("""
        step  sssssss
        op    ..aaaa. a=aten::item
        call  l..www. l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   .kkkk.. k=gemm
        """)
    )
    assert one.idle_ns is None
    assert one.lost_ns is None
    assert blame([one]) == "unknown"


def test_records_carry_both_costs_and_the_step() -> None:
    events = trace(DRAINED)
    work = device_work(events)
    steps = trace_steps(events, work)
    (record,) = sync_records(sync_waits(events, steps, work), steps)
    assert (record.step, record.count, record.kind) == (0, 1, "item")
    assert (record.blocked_ns, record.idle_ns, record.lost_ns) == (7 * US, 4 * US, 4 * US)


def test_the_table_sums_the_calls_of_a_site() -> None:
    costs = _waits(trace(DRAINED))
    (row,) = sync_waits_table(costs * 2, 2).records()
    assert (row["calls"], row["per_step"], row["waited_ns"]) == (2, 1.0, 14 * US)
    assert row["verdict"] == "bubble"


def test_a_wait_idles_the_device_it_was_for_and_no_other() -> None:
    (one,) = _waits(
        trace("""
        step   ssssssssssssssss
        op     ..aaaaaaaaa..... a=aten::item
        call   l..Lwwwwww..l... l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu    .kkkkkkkkkkkkkkk k=gemm
        gpu@1  ....kkkkk....kk. k=gemm
        """)
    )
    assert (one.device, one.idle_ns, one.lost_ns) == (1, 4 * US, 4 * US)
    assert sync_waits_table([one], 1).records()[0]["device"] == 1


def test_a_thread_that_only_ever_launched_on_one_device_waits_for_that_one() -> None:
    (one,) = _waits(
        trace(
            """
        step   ssssssssssssssss
        call   l..wwwwwww..l... l=cudaLaunchKernel w=cudaDeviceSynchronize
        call2  .l..........L... l=cudaLaunchKernel
        gpu    .kkkkkkkk....kk. k=gemm
        gpu@1  ..kkkkkkkkkkkkkk k=gemm
        """,
            launch={0: 0, 1: 1, 2: 2},
        )
    )
    assert (one.device, one.idle_ns) == (0, 4 * US)


def test_of_several_devices_nobody_is_guessed() -> None:
    (one,) = _waits(
        trace("""
        step   ssssssssssssssss
        call   lLwwwwwwww..l... l=cudaLaunchKernel w=cudaDeviceSynchronize
        gpu    .kkkkkkkk....... k=gemm
        gpu@1  ..kkkkkkk....kk. k=gemm
        """)
    )
    assert (one.device, one.idle_ns, one.lost_ns) == (UNKNOWN, None, None)
    assert blame([one]) == "unknown"
    assert sync_waits_table([one], 1).records()[0]["device"] is None


def test_kinetos_own_record_names_the_device(tmp_path: Path) -> None:
    calls = [span("", "cudaLaunchKernel", at, 1) for at in (0, 2, 20)]
    work = [
        on_device("kernel", "gemm", 1, 8),
        {**on_device("kernel", "gemm", 3, 6), "pid": 1},
        {**on_device("kernel", "gemm", 21, 6), "pid": 1},
    ]
    events = [
        event
        for number, (call, piece) in enumerate(zip(calls, work, strict=True), start=1)
        for event in launch(call, piece, number, None)
    ]
    events.append(span("cuda_runtime", "cudaDeviceSynchronize", 4, 6, correlation=9))
    told = {"correlation": 9, "cuda_sync_kind": "Context Sync", "stream": -1}
    record = on_device("cuda_sync", "Context Sync", 4, 6, **told)
    events.append({**record, "pid": 1, "tid": -1})
    events.append(span("cpu_op", "aten::add", 0, 30))
    (one,) = _waits(read_trace(write(tmp_path / "t.json", document(events))))
    assert (one.device, one.idle_ns) == (1, 12 * US)


@needs_corpus("h100_owlv2_large", "h100_qwen1.5_0.5b")
def test_every_long_stream_wait_of_a_real_trace_has_its_operator(trace: Path) -> None:
    events = read_trace(trace)
    waits = {cost.wait.row: cost for cost in _waits(events)}
    streams = events.of(RUNTIME) & events.named(["cudaStreamSynchronize"])
    long = np.flatnonzero(streams & (events.dur > 10 * US))
    named = [cost.wait.op for row, cost in waits.items() if events.dur[row] > 10 * US]
    covered = sum(
        cost.wait.start_ns <= events.start[row] < cost.wait.end_ns
        for row in long
        for cost in waits.values()
    )
    assert covered == len(long)
    assert all(op.startswith(("aten::", "torch.cuda.synchronize")) for op in named)


@needs_corpus("h100_owlv2_large")
def test_the_box_predictor_drains_a_full_queue_and_the_pipeline_is_late(trace: Path) -> None:
    events = read_trace(trace)
    rows = sync_waits_table(_waits(events), 1).records()
    by_function = {str(row["function"]): row for row in rows}
    assert by_function["box_predictor"]["verdict"] == "queue drain"
    assert by_function["_ensure_tensor_on_device"]["verdict"] == "CPU-bound"
    assert json.dumps(rows)
