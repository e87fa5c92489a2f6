"""input-bound: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotApplicable
from perfkit.model.run import Run
from perfkit.rules.input_bound import input_bound
from tests.draw import US, draw
from tests.trace_pictures import trace

LOADER = "l=enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"


def _traced(op: str, more: str = "") -> Run:
    return trace_run(
        trace(f"step  {'s' * 20}.{'s' * 20}\nop    {op} {LOADER} a=aten::mm{more}"), "x"
    )


def test_it_does_not_apply_without_a_trace_or_a_loader_or_where_a_device_shows_what_waits() -> None:
    device = "\ncall  ....l l=cudaLaunchKernel\ngpu   .....kkk k=gemm"
    for run in (draw("step  bbbb"), _traced("llll" + "." * 37, device), _traced("aa" + "." * 39)):
        with pytest.raises(NotApplicable):
            input_bound(run)


def test_silent_below_a_tenth_of_the_step() -> None:
    looked = input_bound(_traced("laaaaaaaaaa.........." + ".laaaaaaaaaaaa......."))
    assert looked.findings == ()
    assert looked.at == "5% of 40 µs is spent in the DataLoader"


def test_loading_in_the_main_process_is_found_with_its_share() -> None:
    (finding,) = input_bound(_traced("lllllaaaaaa.........." + "lllllllaaaaaaa.......")).findings
    assert finding.title == "The step waits 6 µs for its batch, 30% of it"
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 3 * US, 6 * US)
    assert "num_workers" in finding.fix
