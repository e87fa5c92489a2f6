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
    assert set(outcomes.values()) == {"not-observable"}


def test_a_gpu_trace_without_waits_is_clear_and_not_blind() -> None:
    run = trace_run(trace("step sss\ncall l.. l=cudaLaunchKernel\ngpu .kk k=g"), "gpu")
    outcomes = {o.rule: o.state for o in diagnose(run, _engine.outcome).outcomes}
    assert outcomes["host-wait-in-step"] == "clear"


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
