"""Idle devices: silent where the device works or nobody can know, named by cause where it does not."""

from __future__ import annotations

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.model.run import Run
from perfkit.rules.idle_device import idle_device
from tests.draw import draw
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
