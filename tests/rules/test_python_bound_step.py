"""python-bound-step: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.run import OpStat, Run
from perfkit.rules.python_bound_step import python_bound_step
from tests.draw import US, draw
from tests.sample_runs import ctr_run, lens_run
from tests.trace_pictures import trace

TEN_US = "step  bbbbbbbbbb"


def _found(run: Run) -> tuple[Finding, ...]:
    return python_bound_step(run).findings


def test_abstains_without_a_count_of_launches() -> None:
    with pytest.raises(NotObservable):
        python_bound_step(draw(TEN_US, device="cuda"))


def test_silent_on_a_gpu_whose_launches_fill_less_than_half_the_step() -> None:
    step = f"step  {'b' * 101}"
    assert _found(draw(step, launches_per_step=10.0, device="cuda")) == ()


BUSY = """
    step  sssssssssssssssssssssssss
    call  lll.lll.lll..............   l=cudaLaunchKernel
    gpu   .kkkkkkkkkkkkkkkkkkkkkkkk   k=gemm
"""


def test_silent_where_a_trace_shows_the_device_busy_all_the_same() -> None:
    looked = python_bound_step(replace(trace_run(trace(BUSY), "drawn"), launches_per_step=3.0))
    assert looked.findings == ()
    assert looked.at.endswith("in which the device is busy 96% of the time")


def test_the_device_idles_no_longer_than_it_was_seen_to() -> None:
    picture = BUSY.replace("kkkkkkkkkkkk   k", "............   k")
    run = replace(trace_run(trace(picture), "drawn"), launches_per_step=3.0)
    (finding,) = python_bound_step(run).findings
    assert finding.evidence["device_idle_ns"] == 13 * US
    assert finding.saving is not None
    assert finding.saving.high_ns == 13 * US
    assert finding.saving.method.endswith("at most the time the device idles")


def test_silent_on_a_cpu_with_few_operators_however_small() -> None:
    assert _found(draw(TEN_US, launches_per_step=199.0, device="pretend-cuda")) == ()


def test_silent_on_a_cpu_whose_operators_are_large() -> None:
    looked = python_bound_step(ctr_run())
    assert looked.findings == ()
    assert looked.at == (
        "1,142 launches in a step of 411 ms; how long they take on a GPU was not observable"
    )


def test_on_a_gpu_the_saving_is_a_share_of_the_launches_and_never_more_than_the_step() -> None:
    step = f"step  {'b' * 100}"
    (finding,) = _found(draw(step, launches_per_step=10.0, device="cuda"))
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        round(50 * US * 0.25),
        round(70 * US * 0.5),
        round(100 * US * 0.9),
    )
    assert finding.confidence == "likely"
    (full,) = _found(draw(TEN_US, launches_per_step=100.0, device="cuda"))
    assert full.saving is not None
    assert full.saving.high_ns == 10 * US


def test_the_found_lens_loss_is_bound_by_its_launches() -> None:
    (finding,) = _found(lens_run())
    assert (
        finding.title
        == "A step launches 2,799 small operators: 14 ms to 28 ms of launching on CUDA"
    )
    assert finding.evidence["ns_per_launch"] == 21_793
    assert finding.evidence["most_called"] == "aten::add, 300 per step"
    assert (finding.confidence, finding.saving) == ("low", None)


def test_without_a_trace_nobody_knows_what_was_called_most() -> None:
    ops = (OpStat("aten::add", "host", 3, 3, 3),)
    run = draw(TEN_US, launches_per_step=900.0, device="cpu", ops=ops)
    assert _found(run)[0].evidence["most_called"] is None
