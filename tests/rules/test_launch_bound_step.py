"""launch-bound-step: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.run import OpStat, Run
from perfkit.rules._launching import FIX
from perfkit.rules.launch_bound_step import launch_bound_step
from tests.cost_rows import CPU, GPU, row
from tests.draw import US, draw, item

PICTURE = f"step  {'b' * 1000}.{'l' * 1000}.dddddddddd"


def gpu(busy_us: int, launches: float, *, floor_us: float = 10.0, picture: str = PICTURE) -> Run:
    """A measured GPU; a launch takes 5 µs on it."""
    ops = (OpStat("k", "device", 1, busy_us * US, busy_us * US),)
    return draw(
        picture, i=item(), device="cuda", peaks=GPU, costs=(row(us=floor_us),), costed_steps=1,
        launches_per_step=launches, ops=ops,
    )  # fmt: skip


def found(run: Run) -> tuple[Finding, ...]:
    return launch_bound_step(run).findings


def test_abstains_without_costs_or_without_a_count() -> None:
    with pytest.raises(NotApplicable):
        launch_bound_step(draw(PICTURE, device="cuda"))
    with pytest.raises(NotObservable, match="not counted"):
        launch_bound_step(draw(PICTURE, costs=(row(),), costed_steps=1, peaks=CPU))


def test_silent_on_a_device_that_is_busy_however_many_launches() -> None:
    assert found(gpu(busy_us=900, launches=190)) == ()


def test_silent_where_the_operators_take_as_long_as_their_launches() -> None:
    assert found(gpu(busy_us=300, launches=100, floor_us=250)) == ()


def test_silent_on_few_launches() -> None:
    assert found(gpu(busy_us=10, launches=99)) == ()


def test_silent_on_a_gpu_nobody_watched_working() -> None:
    run = draw(PICTURE, device="cuda", peaks=GPU, costs=(row(),), costed_steps=1,
               launches_per_step=190.0)  # fmt: skip
    assert found(run) == ()


def test_an_idle_gpu_saves_a_share_of_what_launching_takes_beyond_the_floor() -> None:
    (finding,) = found(gpu(busy_us=100, launches=162))
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        200 * US,
        400 * US,
        720 * US,
    )
    assert finding.fix == FIX
    assert finding.confidence == "likely"
    assert finding.title == (
        "Launching takes 810 µs per step, and what is launched 10 µs at least on GPU"
    )


def test_waits_have_to_go_first_and_may_leave_nothing_to_save() -> None:
    picture = f"{PICTURE}\nsync  {'.' * 2003}ii"
    (finding,) = found(gpu(busy_us=100, launches=162, picture=picture))
    assert finding.saving is not None
    assert finding.saving.low_ns == 0
    assert finding.fix.startswith(
        "Remove the waits first: a CUDA graph cannot hold them. Then make"
    )
    assert "CUDA graph; a larger batch" in finding.fix


def test_a_prediction_is_not_sure_and_saves_nothing_as_sizes_are_those_of_a_cpu() -> None:
    run = draw(PICTURE, device="pretend-cuda", costs=(row(us=1),), costed_steps=1,
               launches_per_step=400.0)  # fmt: skip
    (finding,) = found(run)
    assert finding.confidence == "low"
    assert finding.evidence["device"] == "NVIDIA H200 SXM"
    assert finding.evidence["step"] == "predicted"
    assert finding.saving is None
