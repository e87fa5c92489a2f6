"""Kernels by name and by operator: both sum to the whole."""

from __future__ import annotations

from perfkit.analysis.device_work import device_work
from perfkit.analysis.kernels import NO_LAUNCH, Kernels, kernel_ops_table, kernels, kernels_table
from perfkit.analysis.trace_steps import trace_steps
from perfkit.io.trace_ops import device_owners
from perfkit.model.events import Events
from tests.trace_pictures import US, trace


def _kernels(events: Events) -> Kernels:
    work = device_work(events)
    _, owner = device_owners(events)
    found = kernels(events, trace_steps(events, work), work, owner)
    found.self_check()
    return found


def test_work_outside_the_steps_is_left_out() -> None:
    found = _kernels(trace("step ..ss..ss..\ngpu  k.........k k=gemm"))
    assert found.by_name == ()
    assert kernels_table(found).rows == ()


def test_names_and_operators_with_their_shares() -> None:
    found = _kernels(
        trace("""
        step  ssssssssss
        op    aa.bb..... a=aten::mm b=aten::add
        call  l..lL..... l=cudaLaunchKernel
        gpu   .kkk.kkm.. k=gemm m=Memset~(Device)
        """)
    )
    first, second = kernels_table(found).records()
    assert (first["name"], first["kind"], first["calls"]) == ("gemm", "compute", 2.0)
    assert (first["time_ns"], first["longest_ns"]) == (5 * US, 3 * US)
    assert (second["kind"], second["op"]) == ("copy", "aten::add")
    by_op = {r["op"]: r["time_ns"] for r in kernel_ops_table(found).records()}
    assert by_op == {"aten::mm": 3 * US, "aten::add": 3 * US}


def test_work_of_unknown_launch_is_named_so() -> None:
    found = _kernels(trace("step ssss\ngpu  .kk. k=gemm"))
    assert found.by_op == ((NO_LAUNCH, 1, 2 * US),)
    assert found.by_name[0].op is None
