"""Floors of a run: here and elsewhere."""

from __future__ import annotations

import pytest

from perfkit.analysis.peaks import peaks_for
from perfkit.analysis.run_floors import REFERENCES, run_floors, tf32
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.run import OpStat, Run
from tests.cost_rows import CPU, GPU, product, row
from tests.draw import US, draw, item

STEPS = "step  bbbbbbbbbb.dddddddddd\nsync  ............i...i...."


def run(**fields: object) -> Run:
    about = {"costs": (row(us=2, host_ns=4 * US),), "costed_steps": 1, "launches_per_step": 4.0}
    return draw(STEPS, i=item(), **{"device": "pretend-cuda", **about, **fields})


def test_abstains_where_nobody_costed_a_step() -> None:
    with pytest.raises(NotApplicable, match="not recorded"):
        run_floors(run(costs=(), costed_steps=0))


def test_abstains_on_a_gpu_in_no_table() -> None:
    with pytest.raises(NotObservable, match="perfkit peaks"):
        run_floors(run(device="cuda", env={"gpu": "a GPU from the future"}))


def test_a_cpu_run_without_peaks_has_predictions_alone_and_says_why() -> None:
    found = run_floors(run())
    assert found.here is None
    assert "perfkit peaks" in found.why
    assert [floor.peaks.device for floor in found.elsewhere] == [f"NVIDIA {n}" for n in REFERENCES]
    assert found.first is found.elsewhere[0]
    assert found.rows is found.first.rows


def test_a_cpu_step_is_held_against_the_cpu_without_what_the_pretence_added() -> None:
    found = run_floors(run(peaks=CPU, overhead={"pretence": 2.0}))
    assert found.here is not None
    assert found.here.observed.step_ns == 5 * US
    assert found.here.observed.device_ns == 4 * US
    assert found.here.observed.syncs is None
    assert found.here.share == pytest.approx(2 / 5)


def test_no_time_of_the_cpu_enters_a_prediction() -> None:
    slow, fast = (
        run_floors(run(costs=(row(us=2, host_ns=ns),), peaks=CPU)).elsewhere[0] for ns in (9, 10**9)
    )
    assert slow.parts == fast.parts
    assert (slow.observed.step_ns, slow.observed.syncs) == (None, 2.0)


def test_a_gpu_run_is_held_against_its_gpu_with_the_kernels_of_its_trace() -> None:
    steps = "step  bbbbbbbbbb.llllllllll.dddddddddd\nsync  .......................i..i......"
    ops = (OpStat("k", "device", 1, 3 * US, 3 * US),)
    found = run_floors(
        draw(steps, i=item(), device="cuda", costs=(product(us=1),), costed_steps=1,
             launches_per_step=4.0, peaks=GPU, ops=ops)
    )  # fmt: skip
    assert found.elsewhere == ()
    assert found.first is found.here
    assert found.here is not None
    observed = found.here.observed
    assert (observed.step_ns, observed.device_ns, observed.syncs) == (10 * US, 3 * US, 2.0)


def test_a_tabulated_gpu_needs_no_measurement() -> None:
    found = run_floors(run(device="cuda", env={"GPU": "NVIDIA H100 80GB HBM3"}))
    assert found.here is not None
    assert found.here.peaks.device.startswith("NVIDIA H100")


def test_a_device_asked_for_comes_first_and_once() -> None:
    t4 = peaks_for("T4")
    assert t4 is not None
    found = run_floors(run(peaks=CPU), (t4, GPU))
    assert [floor.peaks.device for floor in found.asked] == ["NVIDIA T4", "GPU"]
    assert len(found.elsewhere) == len(REFERENCES) - 1
    assert found.first is found.asked[0]
    assert found.rows_on is CPU
    assert run_floors(run(peaks=CPU)).asked == ()


def test_without_peaks_of_this_machine_rows_are_those_of_the_device_asked_for() -> None:
    found = run_floors(run(), (GPU,))
    assert found.rows_on is GPU
    assert found.rows is found.first.rows


def test_a_gpu_in_no_table_can_still_be_predicted_for_another() -> None:
    found = run_floors(run(device="cuda", env={"gpu": "a GPU from the future"}), (GPU,))
    assert (found.here, found.first.peaks) == (None, GPU)
    assert "perfkit peaks" in found.why


def test_the_device_that_was_measured_is_not_predicted() -> None:
    found = run_floors(run(device="cuda", peaks=GPU), (GPU,))
    assert found.asked == ()
    assert found.first is found.here


def test_tf32_is_what_the_program_allowed() -> None:
    assert not tf32(run())
    assert not tf32(run(env={"float32 products": "highest"}))
    assert tf32(run(env={"float32 products": "high"}))
