"""The sentence that says what limits a step, and its tables."""

from __future__ import annotations

from perfkit.analysis.peaks import peaks_for
from perfkit.model.run import Run
from perfkit.rules import _engine, diagnose
from perfkit.rules._limits import FACT, limit_fact, limit_tables
from tests.analysis.test_run_floors import run
from tests.cost_rows import CPU, GPU, product, row, unknown
from tests.draw import US, draw
from tests.sample_runs import ctr_run


def test_nothing_is_said_of_a_run_without_costs() -> None:
    assert limit_fact(ctr_run()) == {}
    assert limit_tables(ctr_run()) == {}
    assert diagnose(Run("empty"), _engine.outcome).coverage.ops_with_costs is None


def test_a_prediction_is_called_one_and_the_cpu_is_told_beside_it() -> None:
    found = run(peaks=CPU, launches_per_step=1000.0)
    assert limit_fact(found)[FACT] == (
        "overhead-bound on NVIDIA H200 SXM (predicted), at about 0.0041% of its floor: operators "
        "417 ns, 1,000 launches 5 ms, 2 waits 20 µs to 440 µs; on this CPU memory- and "
        "overhead-bound, at about 20%"
    )


def test_a_measured_gpu_is_told_with_its_step() -> None:
    found = draw(
        f"step  {'b' * 100}", device="cuda", peaks=GPU, costs=(product(us=50),), costed_steps=1,
        launches_per_step=2.0,
    )  # fmt: skip
    assert limit_fact(found)[FACT] == (
        "compute-bound on GPU (measured), at about 50% of its floor: operators 50 µs, 2 launches "
        "10 µs, the step 100 µs"
    )


def test_a_device_asked_for_is_told_before_what_was_measured() -> None:
    asked = peaks_for("T4")
    assert asked is not None
    on_cpu = limit_fact(run(peaks=CPU), (asked,))[FACT]
    assert on_cpu.startswith("sync-bound on NVIDIA T4 (predicted)")
    assert "; on this CPU " in on_cpu
    on_gpu = limit_fact(run(device="cuda", peaks=GPU), (asked,))[FACT]
    assert "on NVIDIA T4 (predicted)" in on_gpu
    assert "; on GPU (measured) " in on_gpu
    first = limit_tables(run(peaks=CPU), (asked,))["floor"].records()[0]
    assert first["device"] == "NVIDIA T4"


def test_a_floor_of_few_known_operators_is_called_a_part() -> None:
    found = draw(
        f"step  {'b' * 100}", device="cuda", peaks=GPU, costs=(row(us=5), unknown(calls=9)),
        costed_steps=1,
    )  # fmt: skip
    assert "at about 5% of the known part of its floor" in limit_fact(found)[FACT]
    only = draw("step  bbbb", device="cuda", peaks=GPU, costs=(unknown(),), costed_steps=1)
    assert "its floor unknown" in limit_fact(only)[FACT]


def test_a_step_faster_than_its_floor_is_explained() -> None:
    found = draw("step  bbbb", device="cuda", peaks=GPU, costs=(row(us=9),), costed_steps=1)
    assert "faster than its floor: operands stayed in a cache" in limit_fact(found)[FACT]


def test_the_diagnosis_holds_coverage_tables_and_what_is_missing() -> None:
    found = diagnose(run(costs=(row(us=2, calls=3), unknown())), _engine.outcome)
    assert found.coverage.ops_with_costs == 0.75
    assert {"floor", "roofline", "roofline_groups", "roofs", "low_precision"} <= set(found.tables)
    assert [r["op"] for r in found.tables["unknown_costs"].records()] == ["mylib::odd"]
    assert (
        "FLOPs and bytes: unknown for 25% of operator calls (mylib::odd); totals are of the others"
        in found.coverage.gaps
    )
    assert not any("roofline" in gap for gap in found.coverage.gaps)


def test_an_overhead_bound_step_is_never_told_to_change_its_attention() -> None:
    """The mistake of the CTR story: weeks of attention kernels for a step that waited for Python."""
    attention = [
        product(us=3, op="aten::bmm", module=f"M.{i}.attention", host_ns=US) for i in range(8)
    ]
    found = diagnose(run(costs=tuple(attention), launches_per_step=1142.0), _engine.outcome)
    assert found.facts[FACT].startswith("overhead-bound")
    advice = [finding.fix for _, finding in found.findings()]
    assert any("CUDA graph" in fix for fix in advice)
    assert not any("ttention" in fix or "TF32" in fix for fix in advice)
