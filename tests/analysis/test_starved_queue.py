"""A queue that runs empty: not by waits or loading, only by a late host; exact per step."""

from __future__ import annotations

import pytest

from perfkit.analysis.starved_queue import StarvedQueue, starved_queue, starved_queue_table
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotObservable
from tests.trace_pictures import US, trace


def starved(picture: str) -> StarvedQueue:
    reading = trace_reading(trace(picture))
    found = starved_queue(reading)
    found.self_check(next(idle for idle in reading.idle if idle.device == found.device))
    return found


def test_without_a_device_nobody_knows() -> None:
    with pytest.raises(NotObservable, match="no work of a device"):
        starved_queue(trace_reading(trace("op aaa a=aten::mm")))


def test_without_launches_nobody_knows() -> None:
    with pytest.raises(NotObservable, match="joins no launch"):
        starved_queue(trace_reading(trace("step sssss\ngpu  .kk.k k=gemm")))


def test_a_host_that_runs_ahead_starves_nobody() -> None:
    found = starved("""
        step  ssssssssss
        call  lLlL...... l=cudaLaunchKernel
        gpu   .kkkKkkKkk k=gemm
    """)
    assert found.total_ns <= 1 * US


def test_loading_is_no_starving() -> None:
    found = starved("""
        step  ssssssssssssssssssss
        note  dddddddddd.......... d=enumerate(DataLoader)#It.__next__
        call  ..........l......... l=cudaLaunchKernel
        gpu   ..........kkkkkkkkkk k=g
    """)
    assert found.total_ns == 0


def test_each_step_has_its_own_share_and_the_operator_is_named() -> None:
    found = starved("""
        step  ssssssssss.ssssssssss
        op    ...aaa.......bbbbbb.. a=aten::mm b=aten::add
        call  .....l...........l... l=cudaLaunchKernel
        gpu   ......kkkk........kkk k=g
    """)
    assert found.per_step.tolist() == [6 * US, 7 * US]
    assert found.share == 13 / 20
    assert found.ops == (("aten::add", 7 * US), ("aten::mm", 6 * US))
    assert found.lines == ()
    table = starved_queue_table(found)
    assert [row[:4] for row in table.rows] == [(0, 6 * US, 0.6, 1), (1, 7 * US, 0.7, 1)]


def test_a_device_that_is_hardly_used_is_left_out() -> None:
    found = starved(f"""
        step   {"s" * 300}
        call   lL{"." * 298} l=cudaLaunchKernel
        gpu@0  .{"k" * 299} k=gemm
        gpu@1  ..k k=gemm
    """)
    assert found.device == 0
