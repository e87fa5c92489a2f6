"""Idle devices: silent where the device works or nobody can know, named by cause where it does not."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.diagnosis import Saving
from perfkit.model.run import Run
from perfkit.rules._start_up import METHOD
from perfkit.rules.idle_device import idle_device
from tests.draw import draw
from tests.kineto_traces import document, launch, on_device, span, write
from tests.trace_pictures import US, trace


def test_without_a_trace_nothing_is_known() -> None:
    with pytest.raises(NotObservable, match="no trace"):
        idle_device(draw("step  bbbb.dddd"))


def test_a_trace_without_a_device_says_nothing_of_one() -> None:
    with pytest.raises(NotObservable, match="no work of a device"):
        idle_device(trace_run(trace("op aaa a=aten::mm"), "cpu"))


def _run(picture: str) -> Run:
    return trace_run(trace(picture), "drawn")


def test_a_busy_device_is_clear() -> None:
    looked = idle_device(
        _run("step ssssssss\ncall  l....... l=cudaLaunchKernel\ngpu   kkkkkkkk k=g")
    )
    assert looked.findings == ()
    assert looked.at == "device 0 idle for 0% of 8 µs"


def test_small_gaps_between_queued_kernels_are_no_finding() -> None:
    looked = idle_device(
        _run("step ssssssss\ncall  lLlL.... l=cudaLaunchKernel\ngpu   kk.kk.kk k=g")
    )
    assert looked.findings == ()


def test_loading_has_its_own_finding() -> None:
    (finding,) = idle_device(
        _run("""
        step  ssssssssssssssssssss
        note  dddddddddd.......... d=enumerate(DataLoader)#It.__next__
        call  ..........l......... l=cudaLaunchKernel
        gpu   ..........kkkkkkkkkk k=g
        """)
    ).findings
    assert finding.title == "The device idles 50% of the step while the host loads data"
    assert finding.evidence["loading_ns"] == 10 * US
    assert finding.saving is not None
    assert finding.saving.high_ns == 10 * US


def test_a_slow_host_names_what_it_did() -> None:
    (finding,) = idle_device(
        _run("""
        step  ssssssssssssssss
        op    ..aaaaaaaa...... a=aten::mm
        call  .......ll....... l=cudaLaunchKernel
        gpu   .........kkkkkkk k=g
        """)
    ).findings
    assert "launches work too slowly" in finding.title
    assert finding.evidence["python_ns"] == 2 * US
    assert finding.evidence["aten_ns"] == 5 * US
    assert finding.evidence["ended_by"] == "aten::mm"


# Savings: replayed where a replay can express what helps.


def test_loading_is_replayed_faster_and_in_the_background() -> None:
    (finding,) = idle_device(
        _run("""
        step  ssssssssssssssssssss
        note  dddddddddd.......... d=enumerate(DataLoader)#It.__next__
        call  ..........l......... l=cudaLaunchKernel
        gpu   ..........kkkkkkkkkk k=g
        """)
    ).findings
    assert finding.saving is not None
    assert finding.saving.method.startswith("replayed from the trace with loading")
    low, likely, high = (5 * US, 7.5 * US, 10 * US)
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        low,
        likely,
        high,
    )


def test_a_slow_host_is_replayed_faster() -> None:
    (finding,) = idle_device(
        _run("""
        step  ssssssssssssssss
        op    ..aaaaaaaa...... a=aten::mm
        call  .......ll....... l=cudaLaunchKernel
        gpu   .........kkkkkkk k=g
        """)
    ).findings
    assert finding.saving is not None
    assert finding.saving.method.startswith("replayed from the trace with the host")
    # 7 µs of host before the launch, 1.25 and 2 times faster; a single launch is no graph
    assert (finding.saving.low_ns, finding.saving.likely_ns) == (1.4 * US, 3.5 * US)


def test_waiting_for_a_stream_keeps_the_shares_of_idle_time() -> None:
    (finding,) = idle_device(
        _run(f"""
        step  {"s" * 50}
        call  lL{"." * 48} l=cudaLaunchKernel
        gpu   .k{"." * 40}{"k" * 8} k=gemm
        """)
    ).findings
    assert finding.evidence["kinds"] == "stream wait"
    assert finding.saving is not None
    assert finding.saving.method == "a tenth, half and all of the idle time in the trace"


def test_of_two_devices_the_one_that_idles_most_is_named() -> None:
    looked = idle_device(
        _run("""
        step   ssssssssssssssssssss
        call   lL...............l.. l=cudaLaunchKernel
        gpu@0  .kkkkkkkkkkkkkkkkkkk k=gemm
        gpu@1  ..kk..............kk k=gemm
    """)
    )
    assert looked.at == "device 0 idle for 5%, device 1 idle for 80% of 20 µs"
    (finding,) = looked.findings
    assert finding.title.startswith("Device 1 idles 80% of the step")
    assert finding.evidence["device"] == 1


def test_a_device_that_is_hardly_used_is_left_out() -> None:
    busy = "k" * 299
    looked = idle_device(
        _run(f"""
        step   {"s" * 300}
        call   lL{"." * 298} l=cudaLaunchKernel
        gpu@0  .{busy} k=gemm
        gpu@1  ..k k=gemm
    """)
    )
    assert looked.at == "device 0 idle for <1% of 300 µs"
    assert looked.findings == ()


def test_a_device_that_is_being_set_up_is_no_slow_launching() -> None:
    call = span("cuda_runtime", "cudaFree", 10, 30_000)
    first = launch(
        span("", "cudaLaunchKernel", 30_100, 5), on_device("kernel", "gemm", 30_200, 800), 1, None
    )
    events = [span("user_annotation", "ProfilerStep#0", 0, 31_000), call, *first]
    with TemporaryDirectory() as folder:
        read = read_trace(write(Path(folder) / "t.json", document(events)))
    (finding,) = idle_device(trace_run(read, "first")).findings
    assert (
        finding.title
        == "The device idles 97% of the step while it is set up: cudaFree alone takes 30 ms"
    )
    assert (finding.evidence["kinds"], finding.saving) == (
        "start-up",
        Saving(30_000_000, 30_000_000, 30_000_000, METHOD),
    )
    assert finding.fix.startswith("Record later")
