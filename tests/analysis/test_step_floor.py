"""The floor of a step and what limits it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.analysis.other_device import StepWork, other_device
from perfkit.analysis.roofline import floors
from perfkit.analysis.step_floor import Observed, StepFloor, step_floor
from perfkit.model.peaks import Peaks
from tests.cost_rows import CPU, GPU, product, row, unknown

US = 1_000


def found(*costs: object, peaks: Peaks = GPU, steps: int = 1, **observed: object) -> StepFloor:
    result = step_floor(floors(costs, peaks), peaks, Observed(**observed), steps)
    result.self_check()
    return result


def test_nothing_known_is_no_class_and_no_share() -> None:
    floor = found(unknown())
    assert (floor.bound, floor.words, floor.share) == ((), "of unknown kind", None)
    assert (floor.calls, floor.known, floor.known_time) == (1, 0, None)


def test_rooflines_add_up_per_step_and_fused_is_arithmetic_alone() -> None:
    floor = found(product(us=4), row(us=2), steps=2)
    assert (floor.compute_ns, floor.memory_ns, floor.ns) == (2 * US, US, 3 * US)
    assert floor.fused_ns == 2 * US


def test_launches_run_beside_the_device_on_a_gpu_and_in_line_on_a_cpu() -> None:
    assert found(product(us=4), launches=2).eager_ns == 10 * US
    assert found(product(us=40), launches=2).eager_ns == 40 * US
    assert found(product(us=4), launches=2, peaks=CPU).eager_ns == 6 * US


def test_a_measured_gpu_that_is_busy_is_bound_by_its_operators_whatever_they_launch() -> None:
    floor = found(
        product(us=60), launches=90, syncs=3, sync_ns=(0, 50 * US, 90 * US),
        step_ns=100 * US, device_ns=95 * US,
    )  # fmt: skip
    assert floor.words == "compute-bound"
    assert floor.share == pytest.approx(0.6)


def test_an_idle_gpu_is_bound_by_launches_and_waits_in_proportion() -> None:
    floor = found(
        row(us=2), launches=10, syncs=1, sync_ns=(0, 50 * US, 90 * US),
        step_ns=200 * US, device_ns=0,
    )  # fmt: skip
    assert (floor.parts["overhead"], floor.parts["sync"]) == (100 * US, 100 * US)
    assert floor.words == "overhead- and sync-bound"
    assert found(row(us=2), launches=10, step_ns=200 * US, device_ns=0).words == "overhead-bound"


def test_on_a_cpu_operators_smaller_than_their_call_are_overhead() -> None:
    small, large = row(us=0.1, host_ns=60 * US), product(us=20, host_ns=30 * US)
    floor = found(small, large, peaks=CPU, launches=2, step_ns=100 * US, device_ns=90 * US)
    assert floor.parts["overhead"] == pytest.approx(70 * US)
    assert floor.words == "compute- and overhead-bound"


def test_a_prediction_is_bound_by_its_likely_parts() -> None:
    costs = (row(us=2),)
    step = other_device(StepWork(costs, 1, 100, (US, 900 * US, 999 * US)), GPU)
    floor = found(*costs, launches=100, syncs=9, predicted=step)
    assert floor.words == "overhead- and sync-bound"
    assert floor.expected_ns == step.step
    assert floor.share == pytest.approx(2 * US / step.step[1])


def test_a_step_faster_than_its_floor_says_so() -> None:
    floor = found(row(us=10), step_ns=5 * US, device_ns=5 * US)
    assert floor.share == 2.0


def test_coverage_is_told_in_calls_and_in_time() -> None:
    floor = found(row(host_ns=30, calls=2), unknown(host_ns=10))
    assert (floor.calls, floor.known, floor.known_time) == (3, 2, 0.75)


@given(
    *(st.floats(0, 1e9) for _ in range(4)),
    st.one_of(st.none(), st.floats(1, 1e9)),
    st.sampled_from([CPU, GPU]),
)
def test_parts_never_exceed_the_step(compute, memory, device, waits, step, peaks) -> None:
    floor = found(
        product(us=compute / 1e3, host_ns=round(device)), row(us=memory / 1e3, host_ns=1),
        peaks=peaks, launches=7, syncs=1, sync_ns=(0, waits, waits), step_ns=step, device_ns=device,
    )  # fmt: skip
    assert set(floor.bound) <= set(floor.parts)
