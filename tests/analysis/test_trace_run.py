"""A run out of a trace: steps, evidence, and what the trace cannot tell."""

from __future__ import annotations

from pathlib import Path

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.diagnosis import Diagnosis
from perfkit.rules import _engine, diagnose
from tests.kineto_traces import needs_corpus
from tests.trace_pictures import US, trace

READ = """
    step  ssssssssss.ssssssssss
    op    .aaaaaa.....aaaaaa... a=aten::item
    call  l..www.....l..www.... l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   .kkkkk......kkkkk.... k=gemm
"""


def test_a_cpu_trace_claims_nothing_about_a_device() -> None:
    run = trace_run(trace("op aaa a=aten::mm"), "cpu")
    assert run.device == "cpu"
    assert run.launches_per_step is None
    assert "device" in {gap.what for gap in run.gaps}
    outcomes = {o.rule: o.state for o in diagnose(run, _engine.outcome).outcomes}
    assert set(outcomes.values()) <= {"not-observable", "not-applicable"}


def test_a_gpu_trace_without_waits_is_clear_and_not_blind() -> None:
    run = trace_run(trace("step sss\ncall l.. l=cudaLaunchKernel\ngpu .kk k=g"), "gpu")
    outcomes = {o.rule: o.state for o in diagnose(run, _engine.outcome).outcomes}
    assert outcomes["host-wait-in-step"] == "clear"


def test_a_trace_without_shapes_has_no_costs_and_says_why() -> None:
    run = trace_run(trace(READ), "drawn")
    assert run.costs == ()
    assert run.costed_steps == 0
    gaps = {gap.what: gap.why for gap in run.gaps}
    assert "record_shapes=True" in gaps["FLOPs and bytes of operators"]


def test_different_devices_in_one_trace_have_no_common_peaks() -> None:
    cards = [{"name": "NVIDIA H200", "numSms": 132}, {"name": "NVIDIA B200", "numSms": 148}]
    assert trace_run(trace(READ, deviceProperties=cards), "drawn").peaks is None


def test_a_part_of_a_device_has_no_peaks() -> None:
    cards = [{"name": "NVIDIA H200", "numSms": 16}]
    assert trace_run(trace(READ, deviceProperties=cards), "drawn").peaks is None


def test_shapes_give_costs_and_the_devices_name_its_peaks() -> None:
    shapes = {"Input Dims": [[8, 4], [4, 2]], "Input type": ["float", "float"]}
    cards = [{"name": "NVIDIA H200", "numSms": 132}] * 2
    run = trace_run(
        trace(
            READ.replace("aten::item", "aten::mm"),
            args={"aten::mm": shapes},
            deviceProperties=cards,
        ),
        "drawn",
    )
    assert run.costed_steps == 2
    assert run.peaks is not None
    assert "H200" in run.peaks.device
    assert {row.op: row.flops for row in run.costs if not row.unknown} == {"aten::mm": 2 * 128}


def test_steps_waits_and_launches() -> None:
    run = trace_run(trace(READ), "drawn", ("perfkit", "analyze", "t.json"))
    assert [step.duration_ns for step in run.steps] == [10 * US, 10 * US]
    assert {step.instrument for step in run.steps} == {"light"}
    assert [(sync.step, sync.kind, sync.count) for sync in run.syncs] == [
        (0, "item", 1),
        (1, "item", 1),
    ]
    assert run.syncs[0].idle_ns == 6 * US
    assert run.launches_per_step == 1.0


def test_operators_outside_the_steps_are_not_counted() -> None:
    run = trace_run(trace("step ..sss\nop    a.a.. a=aten::mm"), "drawn")
    assert [(op.name, op.calls) for op in run.ops if op.name == "aten::mm"] == [("aten::mm", 1)]


def test_the_diagnosis_has_the_tables_of_a_trace_and_the_idle_time_of_a_sync() -> None:
    diagnosis = diagnose(trace_run(trace(READ), "drawn"), _engine.outcome)
    assert {
        "step_breakdown", "device_idle", "idle_edges", "sync_waits", "kernels", "kernel_ops",
        "launch_queue", "queue_over_time",
    } <= set(diagnosis.tables)  # fmt: skip
    (row,) = diagnosis.tables["sync_points"].records()
    assert row["idle_ns"] == 6 * US
    assert diagnosis.verdict.what == (
        "A step takes 10 µs with the GPU busy 50% of it; it makes 1 host-device synchronisation."
    )
    assert diagnosis.coverage.basis == "trace of GPU of this test; 2 steps; step: ProfilerStep mark"


def test_a_trace_without_stacks_says_so() -> None:
    gaps = {gap.what: gap.why for gap in trace_run(trace(READ), "drawn").gaps}
    assert "with_stack" in gaps["Python lines"]


def test_a_json_round_trip_loses_nothing() -> None:
    diagnosis = diagnose(trace_run(trace(READ), "drawn"), _engine.outcome)
    assert Diagnosis.from_json(diagnosis.to_json()) == diagnosis


@needs_corpus()
def test_every_real_trace_becomes_a_diagnosis(trace: Path) -> None:
    run = trace_run(read_trace(trace), trace.name)
    diagnosis = diagnose(run, _engine.outcome)
    assert diagnosis.coverage.basis.startswith("trace of ")
    assert diagnosis.coverage.steps == len(run.steps) > 0
    share = diagnosis.coverage.device_time_attributed
    assert share is None or 0 < share <= 1
    try:
        assert _engine.rules()["idle-device"](run).at.startswith("device ")
    except NotObservable:
        assert not run.events.has_device()
