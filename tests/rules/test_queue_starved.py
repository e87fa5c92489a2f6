"""queue-starved: silent where the host is ahead, waits or has little to launch; else with the replay."""

from __future__ import annotations

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules.idle_device import idle_device
from perfkit.rules.queue_starved import queue_starved
from tests.draw import draw
from tests.timelines import drawn
from tests.trace_pictures import US, trace

LATE = "oLLo...." * 12
BEHIND = "...kk..." * 12
"""Twelve launches, 8 µs apart, of kernels of 2 µs: the device waits for each, and idles at the end."""


def run(host: str, device: str) -> Run:
    return trace_run(drawn(host, steps="s" * len(host), s7=device), "drawn")


def found(run: Run) -> tuple[Finding, ...]:
    return queue_starved(run).findings


def test_without_a_trace_nothing_is_known() -> None:
    with pytest.raises(NotObservable, match="no trace"):
        queue_starved(draw("step  bbbb.dddd"))


def test_without_a_device_nothing_is_known() -> None:
    with pytest.raises(NotObservable, match="no work of a device"):
        queue_starved(trace_run(trace("op aaa a=aten::mm"), "cpu"))


def test_silent_where_the_host_runs_ahead() -> None:
    assert found(run("LL.LL.LL.LL.LL.LL.LL.LL.LL.LL.LL.LL." + "." * 40, ".." + "kkkkk." * 12)) == ()


def test_silent_where_a_wait_of_the_host_drained_the_device() -> None:
    waits = run(("LL" + "S" * 64) * 12, (".." + "k" * 58 + "......") * 12)
    assert found(waits) == ()
    assert queue_starved(waits).at.endswith("for <1% of the steps of 12 launches")


def test_silent_on_a_few_launches_which_make_no_queue() -> None:
    few = run("oLLo....." * 3, "...kk...." * 3)
    assert found(few) == ()
    (idle,) = idle_device(few).findings
    assert idle.saving is not None


def test_a_late_host_is_named_with_its_operator_and_replayed_faster() -> None:
    (finding,) = found(run(LATE, BEHIND))
    assert finding.title == (
        "The launch queue is empty for 72% of the step while the host waits for nothing, "
        "mostly before aten::op"
    )
    assert finding.evidence["launches_per_step"] == 12
    assert finding.evidence["starved_ns"] == 69 * US
    assert finding.evidence["launched_late"] == "aten::op (100%)"
    assert finding.saving is not None
    assert finding.saving.method.startswith("replayed from the trace with the host")
    assert 0 < finding.saving.low_ns < finding.saving.likely_ns <= finding.saving.high_ns


def test_the_same_time_is_not_saved_twice() -> None:
    late = run(LATE, BEHIND)
    (idle,) = idle_device(late).findings
    assert idle.saving is None
    assert idle.evidence["part_of"] == "queue-starved"
    (finding,) = found(late)
    assert idle.evidence["idle_ns"] == finding.evidence["starved_ns"]
