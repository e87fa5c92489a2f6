"""Launches, the queue and short kernels, counted by hand."""

from __future__ import annotations

import pytest

from perfkit.analysis import launch_queue
from perfkit.analysis.device_work import device_work
from perfkit.analysis.launch_queue import (
    StepLaunches,
    launch_queue_table,
    launches,
    queue_over_time_table,
    step_launches,
)
from perfkit.analysis.trace_steps import trace_steps
from perfkit.base.errors import NotObservable
from perfkit.model.events import Events
from tests.trace_pictures import US, trace

AHEAD = """
    step  ssssssssssssssssssssssss
    call  lLl..................... l=cudaLaunchKernel
    gpu   ...kkkmmmmmmmmmmmmnn.... k=gemm m=gemm2 n=gemm
"""


def _steps(events: Events) -> tuple[StepLaunches, ...]:
    work = device_work(events)
    found = launches(events, work)
    found.self_check()
    return step_launches(found, trace_steps(events, work), work)


def test_without_launches_there_is_no_queue() -> None:
    events = trace("step sss\ngpu  .k. k=gemm")
    with pytest.raises(NotObservable):
        launches(events, device_work(events))


def test_a_host_that_runs_ahead_fills_the_queue() -> None:
    (step,) = _steps(trace(AHEAD))
    assert (step.launches, step.kernels, step.graph_launches) == (3, 3, 0)
    assert step.queue_max == 3
    # one, two and three launches for 1 us each, two for 3, one for 12, none for 6
    assert step.queue_mean == pytest.approx((1 + 2 + 3 + 2 * 3 + 12) / 24)
    assert step.queue_empty_share == pytest.approx(6 / 24)


def test_short_kernels_and_their_share_of_kernel_time() -> None:
    (step,) = _steps(trace(AHEAD))
    assert step.short_kernels == 2
    assert step.short_share == pytest.approx(5 / 17)


def test_a_delay_may_be_negative() -> None:
    (step,) = _steps(trace("step sssss\ncall  lll.. l=cudaLaunchKernel\ngpu   .kk.. k=gemm"))
    assert step.delay_median_ns == -2 * US


def test_a_graph_is_one_launch() -> None:
    events = trace(
        "step ssssss\ncall g..... g=cudaGraphLaunch\ngpu  .kk.kk k=node", launch={0: 0, 1: 0}
    )
    (step,) = _steps(events)
    assert (step.launches, step.graph_launches, step.kernels) == (1, 1, 2)


def test_a_launch_into_a_full_queue_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch_queue, "FULL", 2)
    (step,) = _steps(
        trace("step ssssssssss\ncall  lLlll..... l=cudaLaunchKernel\ngpu   .....kKk.. k=gemm")
    )
    assert step.blocked_full_ns == 3 * US


def test_the_tables() -> None:
    events = trace(AHEAD)
    work = device_work(events)
    steps, found = trace_steps(events, work), launches(events, work)
    (row,) = launch_queue_table(step_launches(found, steps, work)).records()
    assert row["launches"] == 3
    over_time = queue_over_time_table(found, steps).records()
    assert max(r["queue"] for r in over_time) == 3
    assert [r["time_ns"] for r in over_time] == sorted(r["time_ns"] for r in over_time)


def test_what_waits_for_another_device_blocks_nobody() -> None:
    events = trace(
        """
        call   lLlL........ l=cudaLaunchKernel
        gpu    ......kKk... k=gemm
        gpu@1  .......k.... k=gemm
        """,
        launch={0: 0, 1: 1, 2: 3, 3: 2},
    )
    found = launches(events, device_work(events))
    found.self_check()
    assert sorted(found.pending.tolist()) == [0, 0, 1, 2]
    assert int(found.length.max()) == 4
