"""Device time that only changes layouts, from traces."""

from __future__ import annotations

from perfkit.analysis.layout_work import COPIED, TURNED, layout_work, layout_work_table, place_of
from perfkit.model.syncs import Frame
from tests.trace_pictures import US, trace


def test_nothing_without_device_work() -> None:
    found = layout_work(trace("step ssss\nop  .aa. a=aten::contiguous"))
    assert (found.copies, found.device_ns) == ((), 0)


def test_other_copies_and_kernels_are_left_out() -> None:
    found = layout_work(
        trace("""
        step  ssssssssss
        op    aa.bb..... a=aten::clone b=aten::mm
        call  l..L...... l=cudaLaunchKernel
        gpu   .kkk.nn... k=direct_copy n=gemm
        """)
    )
    found.self_check()
    assert (found.copies, found.device_ns) == ((), 5 * US)


def test_copies_beneath_contiguous_and_kernels_that_turn_images() -> None:
    found = layout_work(
        trace("""
        step  ssssssssss
        op    aaaa.dd... a=aten::contiguous d=aten::cudnn_convolution
        op    .bb....... b=aten::clone
        call  .l...L.... l=cudaLaunchKernel
        gpu   ..kkk.nn.. k=direct_copy n=cudnn::ops::nchwToNhwcKernel
        """)
    )
    found.self_check()
    (copied,), (turned,) = found.of(COPIED), found.of(TURNED)
    assert (copied.name, copied.time_ns) == ("aten::contiguous", 3 * US)
    assert (turned.name, turned.time_ns) == ("cudnn::ops::nchwToNhwcKernel", 2 * US)
    first = layout_work_table(found).records()[0]
    assert (first["cause"], first["calls"], first["module"]) == (COPIED, 1.0, None)


def test_the_place_is_the_frame_of_the_program_around_the_first_copy() -> None:
    picture = """
        step  ssssssssss
        {}
        op    .aaa...... a=aten::contiguous
        call  ..l....... l=cudaLaunchKernel
        gpu   ...kkk.... k=direct_copy
    """
    events = trace(picture.format("py    ppppp..... p=/p/model.py(7):~forward"))
    (copies,) = layout_work(events).copies
    assert place_of(events, copies) == Frame("/p/model.py", 7, "forward")
    events = trace(picture.format("note  nnnnn..... n=mine"))
    assert place_of(events, layout_work(events).copies[0]) is None
