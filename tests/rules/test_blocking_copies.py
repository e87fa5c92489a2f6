"""blocking-copies: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.rules.blocking_copies import blocking_copies
from tests.draw import copy, draw, item
from tests.sample_runs import ctr_run, lens_run
from tests.timelines import US, Row, Simulator, as_events


def test_silent_on_reads_of_single_values() -> None:
    assert blocking_copies(draw("step  dddd\nsync  ii..", i=item())).findings == ()


def test_silent_on_copies_before_the_first_steady_step() -> None:
    run = draw("step  ..wwww.dddd\nsync  cccc.......", c=copy())
    assert blocking_copies(run).findings == ()


def test_abstains_when_no_step_was_watched() -> None:
    with pytest.raises(NotObservable):
        blocking_copies(draw("step  bbbb"))


def test_copies_of_a_line_are_one_finding_with_its_bytes() -> None:
    run = draw("step  dddd.dddd\nsync  ccc..ccc.", c=copy(nbytes=1024), device="pretend-cuda")
    (finding,) = blocking_copies(run).findings
    assert finding.title == "3 blocking copies to the device per step, 3 KiB"
    assert (finding.evidence["nbytes"], finding.evidence["direction"]) == (3072, "h2d")
    assert finding.confidence == "certain"


def test_unknown_bytes_are_left_out_of_the_title() -> None:
    (finding,) = blocking_copies(draw("step  dddd\nsync  c...", c=copy(nbytes=None))).findings
    assert finding.title == "1 blocking copy to the device per step"
    assert finding.evidence["nbytes"] is None


def test_pageable_async_copies_may_cost_nothing() -> None:
    sync = copy(kind="h2d_pageable_async", certain=False)
    run = draw("step  dddd\nsync  c...", c=sync, device="cuda")
    (finding,) = blocking_copies(run).findings
    assert finding.saving is not None
    assert finding.saving.low_ns == 0
    assert finding.confidence == "likely"


def test_copies_to_the_host_are_told_from_reads_by_their_kind() -> None:
    sync = copy(kind="d2h", direction="d2h", nbytes=None)
    (finding,) = blocking_copies(draw("step  dddd\nsync  c...", c=sync)).findings
    assert finding.title == "1 blocking copy to the host per step"


def test_the_found_programs() -> None:
    assert [f.evidence["per_step"] for f in blocking_copies(ctr_run()).findings] == [61, 1]
    assert [f.evidence["per_step"] for f in blocking_copies(lens_run()).findings] == [143]


def test_a_copy_in_a_trace_is_replayed_without_its_wait() -> None:
    machine = Simulator()
    machine.kernel(4, 80)
    machine.python(6)
    start = machine.now
    machine.kernel(4, 10)
    work, call = machine.rows[-1], machine.rows[-2]
    work.category, work.name = "gpu_memcpy", "Memcpy DtoH (Device -> Pageable)"
    call.name, call.dur = "cudaMemcpyAsync", machine.ends[-1] + 5 - start
    machine.now = start + call.dur
    machine.rows.append(Row("cpu_op", "aten::copy_", start, call.dur, 1))
    machine.python(40)
    machine.kernel(4, 30)
    machine.step(0)
    (finding,) = blocking_copies(trace_run(as_events(machine.rows), "copy")).findings
    assert finding.saving is not None
    assert finding.saving.method == "replayed from the trace without the wait (what-if)"
    assert finding.saving.likely_ns == 49 * US  # the return, the Python and the last launch
    assert finding.evidence["verdict"] == "bubble"
