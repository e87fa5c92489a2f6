"""What the host did at each moment, exclusive and summing to the window."""

from __future__ import annotations

import numpy as np

from perfkit.analysis.device_work import device_work
from perfkit.analysis.host_time import host_time
from tests.trace_pictures import US, trace


def _parts(picture: str, length: int) -> dict[str, int]:
    events = trace(picture)
    host = host_time(events, device_work(events))
    host.self_check()
    low = int(events.start.min())
    parts = host.parts(np.array([low]), np.array([low + length * US]))
    found = {name: int(value[0]) // US for name, value in parts.items() if value[0]}
    assert sum(found.values()) == length
    return found


def test_nothing_known_is_python() -> None:
    assert _parts("py aaaa a=f.py(1):~f", 4) == {"python": 4}


def test_each_moment_counts_for_the_innermost_thing() -> None:
    assert _parts(
        """
        step  ssssssssssss
        op    .aaaaaaaaa.. a=aten::item
        call  ..l..wwww... l=cudaLaunchKernel w=cudaStreamSynchronize
        gpu   ....kkkk.... k=gemm
        """,
        12,
    ) == {"python": 3, "aten": 4, "launching": 1, "sync_wait": 4}


def test_operators_of_the_loader_are_loading() -> None:
    assert _parts(
        """
        step  ssssssss
        note  .ddddd.. d=enumerate(DataLoader)#It.__next__
        op    ..aa..a. a=aten::stack
        """,
        8,
    ) == {"python": 2, "loading": 5, "aten": 1}


def test_another_thread_that_works_wins_over_one_that_waits() -> None:
    assert _parts(
        """
        step  ssssssssss
        call  l.wwwwwwww l=cudaLaunchKernel w=cudaDeviceSynchronize
        op2   ...aaaa... a=aten::mm
        call2 ....l..... l=cudaLaunchKernel
        gpu   .....kk.kk k=gemm
        """,
        10,
    ) == {"launching": 2, "python": 1, "sync_wait": 4, "aten": 3}


def test_a_thread_that_launches_nothing_is_not_the_program() -> None:
    assert _parts(
        """
        step  ssssss
        call  l..... l=cudaLaunchKernel
        op2   .aaaa. a=aten::stack
        gpu   ..kk.. k=gemm
        """,
        6,
    ) == {"launching": 1, "python": 5}
