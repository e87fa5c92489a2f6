"""Kinds, launches and graphs of device work."""

from __future__ import annotations

from perfkit.analysis.device_work import device_work
from tests.trace_pictures import US, trace


def test_a_trace_without_a_device_has_none() -> None:
    work = device_work(trace("op aaa a=aten::mm"))
    assert len(work) == 0
    assert work.devices == ()
    assert work.busy.total == work.graph_gaps.total == 0


def test_streams_overlap_and_count_once() -> None:
    work = device_work(
        trace("""
        call  l.l....... l=cudaLaunchKernel
        gpu   ..kkkk.... k=gemm
        gpu2  ....nnnn.. n=ncclDevKernel_AllReduce
        """)
    )
    assert work.busy.total == 6 * US
    assert work.compute.total == work.comm.total == 4 * US
    assert (work.launch >= 0).all()


def test_copies_and_fills_are_no_compute() -> None:
    work = device_work(trace("gpu kk.cc.m k=gemm c=Memcpy~HtoD m=Memset~(Device)"))
    assert (work.compute.total, work.copies.total) == (2 * US, 3 * US)


def test_between_the_kernels_of_a_graph_nobody_is_late() -> None:
    events = trace(
        """
        call  g.l....... g=cudaGraphLaunch l=cudaLaunchKernel
        gpu   .k..k..k.x k=node x=gemm
        """,
        launch={0: 0, 1: 0, 2: 0, 3: 1},
    )
    work = device_work(events)
    assert work.in_graph.tolist() == [True, True, True, False]
    assert work.graph_gaps.total == 4 * US


def test_the_busiest_device_comes_first() -> None:
    assert device_work(trace("gpu kk k=gemm")).devices == (0,)
