"""Bubbles and their causes: exact numbers from pictures."""

from __future__ import annotations

from perfkit.analysis.device_idle import device_idle, idle_causes_table
from perfkit.analysis.device_work import device_work
from perfkit.analysis.host_time import host_time
from perfkit.analysis.sync_waits import sync_waits
from perfkit.analysis.trace_steps import trace_steps
from perfkit.model.events import Events
from tests.trace_pictures import US, trace


def _causes(events: Events) -> dict[str, int]:
    work = device_work(events)
    steps = trace_steps(events, work)
    waits = sync_waits(events, steps, work)
    (device,) = device_idle(events, steps, work, host_time(events, work), waits)
    device.self_check()
    assert idle_causes_table((device,)).columns
    return {cause: ns // US for cause, ns in device.by_cause().items()}


def test_a_trace_without_a_device_has_no_idle_device() -> None:
    events = trace("op aaa a=aten::mm")
    work = device_work(events)
    steps = trace_steps(events, work)
    assert device_idle(events, steps, work, host_time(events, work), ()) == ()


def test_a_device_that_is_always_busy_has_no_bubble() -> None:
    assert _causes(trace("step ssss\ngpu  kkkk k=gemm")) == {}


def test_inside_a_graph_nothing_is_idle() -> None:
    events = trace(
        "step ssssss\ncall g..... g=cudaGraphLaunch\ngpu  k..k.k k=node",
        launch={0: 0, 1: 0, 2: 0},
    )
    assert _causes(events) == {}


def test_a_late_host_is_split_by_what_it_did() -> None:
    causes = _causes(
        trace("""
        step  ssssssssssss
        note  ..dd........ d=enumerate(DataLoader)#It.__next__
        op    .....aaaaaaa a=aten::mm
        call  l......ll... l=cudaLaunchKernel
        gpu   .kk......kkk k=gemm
        """)
    )
    # before the first kernel 1 launching; then 1 loading (2..3 is busy), 1 Python, 2 ATen, 2 launching
    assert causes == {"launching": 3, "aten": 2, "loading": 1, "python": 1}


def test_a_bubble_after_a_wait_belongs_to_the_wait_for_as_long_as_it_lasted() -> None:
    causes = _causes(
        trace("""
        step  ssssssssssssssss
        op    ..aaa........... a=aten::item
        call  l..ww.......l... l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   kkkkk........kkk k=gemm
        """)
    )
    # 8 us idle after a wait of 2: two are the wait's, the rest is Python and a launch
    assert causes == {"sync": 2, "python": 5, "launching": 1}


def test_queued_work_that_goes_on_shortly_is_a_handover() -> None:
    causes = _causes(
        trace(
            """
        step  ssssssss
        call  ll...... l=cudaLaunchKernel
        gpu   .kkk.mmm k=gemm m=gemm2
        """,
            launch={0: 0, 1: 0},
        )
    )
    assert causes["handover"] == 1


def test_queued_work_behind_a_collective_waits_for_it() -> None:
    causes = _causes(
        trace("""
        step  ssssssss
        call  lL...... l=cudaLaunchKernel
        gpu   .....kkk k=gemm
        gpu2  .nnn.... n=ncclDevKernel
        """)
    )
    assert causes["collective"] == 1


def test_queued_work_that_does_not_start_for_long_waits_for_another_stream() -> None:
    causes = _causes(
        trace(f"""
        step  {"s" * 50}
        call  lL{"." * 48} l=cudaLaunchKernel
        gpu   .k{"." * 40}{"k" * 8} k=gemm
        """)
    )
    assert causes["stream"] == 40


def test_a_wait_for_one_device_does_not_drain_another() -> None:
    events = trace("""
        step   ssssssssssssssss
        op     ..aaa........... a=aten::item
        call   l.Lww.......lL.. l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu    kkkk.........kkk k=gemm
        gpu@1  ..kkk.........kk k=gemm
    """)
    work = device_work(events)
    steps = trace_steps(events, work)
    waits = sync_waits(events, steps, work)
    found = device_idle(events, steps, work, host_time(events, work), waits)
    drained = {device.device: device.by_cause().get("sync", 0) // US for device in found}
    assert drained == {0: 1, 1: 2}  # of device 0 only the time in which the host sat in the wait
