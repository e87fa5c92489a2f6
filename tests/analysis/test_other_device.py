"""Predictions are ranges whose ends are sums one can do by hand."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from perfkit.analysis.other_device import StepWork, other_device, other_device_table, step_work
from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.costs import OpCost
from perfkit.model.peaks import Peak, Peaks
from perfkit.model.run import Run

THERE = Peaks(
    "a GPU",
    {"bfloat16": Peak(1e12, "tabulated", "sheet")},
    {"float32": Peak(1e11, "tabulated", "sheet")},
    Peak(1e9, "tabulated", "sheet"),
)
PRODUCT = OpCost("aten::mm", "", 1, 6_000_000_000, 50_000, 50_000, "matmul", "bfloat16")
COPY = OpCost("aten::copy_", "", 10, 0, 350_000, 350_000, "vector", "float32")
VIEW = OpCost("aten::view", "", 5, 0, 0, 0)
UNKNOWN = OpCost("mylib::fused", "", 3, unknown="no cost model")


def test_a_run_without_costs_predicts_nothing():
    with pytest.raises(NotObservable, match="not recorded"):
        step_work(Run("r"))


def test_nothing_but_views_takes_no_device_time():
    assert other_device(StepWork((VIEW,)), THERE).device == (0, 0, 0)


def test_an_operator_without_cost_is_a_shortest_kernel_and_is_told():
    found = other_device(StepWork((UNKNOWN, PRODUCT)), THERE)
    alone = other_device(StepWork((UNKNOWN,)), THERE)
    assert alone.device == (0, 6_000, 15_000)
    assert found.known == 1
    assert any("3 of 4 operator calls" in caveat for caveat in found.caveats)
    assert any("0.70 of the measured one" in caveat for caveat in found.caveats)


def test_what_was_not_counted_is_left_out_and_told():
    found = other_device(StepWork((PRODUCT,)), THERE)
    assert found.host is None and found.waits is None
    assert found.step == found.device
    assert {"without launches: they were not counted", "without waits: nobody looked for them"} <= {
        *found.caveats
    }


def test_a_product_reaches_a_share_of_the_arithmetic_peak():
    found = other_device(StepWork((PRODUCT,)), THERE)
    assert found.floor_ns == pytest.approx(6e6)
    assert found.device == pytest.approx((6e6, 1e7, 4e7))


def test_memory_traffic_reaches_a_share_of_the_bandwidth():
    found = other_device(StepWork((COPY,)), THERE)
    assert found.device == pytest.approx((700_000, 1_400_000, 3_500_000))


def test_sums_are_per_step():
    once = other_device(StepWork((PRODUCT, COPY)), THERE)
    again = other_device(StepWork((PRODUCT, COPY, PRODUCT, COPY), steps=2), THERE)
    assert again.device == pytest.approx(once.device)
    assert again.calls == once.calls == 11


def test_low_overlaps_likely_waits_and_high_adds_up():
    found = other_device(StepWork((PRODUCT,), 1, 2000, (10.0, 20.0, 30.0)), THERE)
    assert found.host == (6e6, 2e7, 6e7)
    assert found.step == pytest.approx((6e6, 2e7 + 20, 4e7 + 6e7 + 30))


def test_a_measured_kernel_keeps_its_distance_from_the_roofline():
    here = replace(THERE, matmul={"bfloat16": Peak(0.5e12, "tabulated", "sheet")})
    measured = replace(PRODUCT, device_ns=15_000_000)  # 12 ms would have been its floor here
    found = other_device(StepWork((measured,), here=here), THERE)
    assert found.device == pytest.approx((6e6, 7.5e6, 18.75e6))
    assert found.carried == 1


def test_a_kernel_faster_than_its_roofline_is_not_carried_below_the_new_one():
    measured = replace(PRODUCT, device_ns=1_000)
    found = other_device(StepWork((measured,), here=THERE), THERE)
    assert found.device[1] == found.floor_ns


def test_measured_time_without_a_cost_changes_as_the_bandwidths_do():
    here = replace(THERE, bandwidth=Peak(0.5e9, "tabulated", "sheet"))
    measured = replace(UNKNOWN, device_ns=80_000)
    found = other_device(StepWork((measured,), here=here), THERE)
    assert found.device == pytest.approx((0, 40_000, 100_000))
    assert found.known == 0


def test_a_float32_product_uses_tf32_where_the_program_allows_it():
    there = replace(
        THERE,
        matmul={"tf32": Peak(1e12, "tabulated", "")},
        vector={"float32": Peak(1e11, "tabulated", "")},
    )
    product = replace(PRODUCT, dtype="float32")
    plain, rounded = (other_device(StepWork((product,), tf32=t), there) for t in (False, True))
    assert (plain.floor_ns, rounded.floor_ns) == pytest.approx((6e7, 6e6))


def test_time_measured_on_an_unknown_device_is_not_used():
    measured = replace(PRODUCT, device_ns=15_000_000)
    assert (
        other_device(StepWork((measured,)), THERE).device
        == other_device(StepWork((PRODUCT,)), THERE).device
    )


def test_a_faster_device_is_never_predicted_slower():
    work = StepWork((PRODUCT, COPY, VIEW, UNKNOWN), 1, 12, (0.0, 1.0, 2.0))
    faster = replace(THERE, bandwidth=Peak(2e9, "tabulated", "sheet"))
    slow, fast = other_device(work, THERE), other_device(work, faster)
    for found in (slow, fast):
        found.self_check()
    assert all(a >= b for a, b in zip(slow.step, fast.step, strict=True))


def test_the_table_has_all_parts_and_says_what_is_not_known():
    table = other_device_table(other_device(StepWork((PRODUCT,), launches=4), THERE))
    assert [row["part"] for row in table.records()] == ["device", "host", "waits", "step"]
    waits = table.records()[2]
    assert (waits["low_ns"], waits["how"]) == (None, "not known")
    assert "not calibrated on a GPU" in str(table.records()[3]["how"])


def test_the_stated_error_is_that_of_the_traces():
    corpus = os.environ.get("PERFKIT_TRACE_CORPUS")
    if corpus is None:
        pytest.skip("PERFKIT_TRACE_CORPUS is not set")
    names = ("h100_qwen1.5_0.5b", "mi300_qwen1.5_0.5b")
    runs = [trace_run(read_trace(Path(corpus) / f"{name}.json.gz"), name) for name in names]
    ratios = []
    for origin, target in (runs, runs[::-1]):
        assert target.peaks is not None
        found = other_device(step_work(origin), target.peaks)
        found.self_check()
        measured = sum(row.device_ns or 0 for row in target.costs) / target.costed_steps
        assert found.device[0] < measured < found.device[2]
        ratios.append(found.device[1] / measured)
    assert ratios == pytest.approx([0.70, 1.41], abs=0.02)
