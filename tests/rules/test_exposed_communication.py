"""exposed-communication: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotApplicable
from perfkit.model.run import Run
from perfkit.rules.exposed_communication import exposed_communication
from tests.draw import US, draw
from tests.trace_pictures import trace


def _traced(gpu: str, other: str) -> Run:
    return trace_run(
        trace(f"""
            step  ssssssssssssssssssss.ssssssssssssssssssss
            call  ll..................ll................... l=cudaLaunchKernel
            gpu   {gpu} k=gemm
            gpu2  {other} n=ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)
        """),
        "drawn",
    )


COMPUTING = ".kkkkkkkkkkkkkkkkkkk..kkkkkkkkkkkkkkkkkk."


def test_it_does_not_apply_where_nothing_communicates() -> None:
    for run in (draw("step  bbbb", device="cuda"), _traced(COMPUTING, "." * 41)):
        with pytest.raises(NotApplicable):
            exposed_communication(run)


def test_silent_where_computation_runs_beside_it() -> None:
    looked = exposed_communication(_traced(COMPUTING, "..nnnnnnn..............nnnnnnn..........."))
    assert looked.findings == ()
    assert looked.at == "0% of 40 µs is communication alone"


def test_what_runs_alone_is_found_with_its_kind() -> None:
    computing = ".kkkkkkkkk............kkkkkkkkk.........."
    (finding,) = exposed_communication(
        _traced(computing, "......nnnnnnnn..............nnnnnnnnn....")
    ).findings
    assert finding.evidence["collective"] == "all_reduce"
    assert finding.evidence["exposed_ns"] == round((4 + 6) / 2 * US)
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 2500, 5000)
