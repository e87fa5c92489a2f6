"""pcie-bound: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.analysis.peaks import peaks_for
from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.run import Run
from perfkit.rules.pcie_bound import PACK, pcie_bound
from tests.analysis.test_bus_copies import PAGEABLE, copies
from tests.analysis.test_run_floors import run
from tests.draw import copy, draw, item
from tests.trace_pictures import US, trace


def _traced(gpu: str, **about: int | None) -> Run:
    return trace_run(copies(gpu, **about), "x")


def test_it_does_not_apply_where_nothing_is_copied() -> None:
    for found in (_traced("kkkkkkkk............"), draw("step  dddd\nsync  i...", i=item())):
        with pytest.raises(NotApplicable):
            pcie_bound(found)


def test_without_a_step_that_was_watched_or_known_bytes_it_cannot_tell() -> None:
    for found in (draw("step  bbbb"), run(syncs=(copy(step=1, nbytes=None),))):
        with pytest.raises(NotObservable):
            pcie_bound(found)


def test_silent_where_copies_are_short_or_hidden() -> None:
    hidden = copies("hhhhhh..............", more="\ngpu2  kkkkkk.............. k=gemm")
    for found in (_traced("hkkkkkkkkkkkkkkkkkkk"), trace_run(hidden, "x")):
        assert pcie_bound(found).findings == ()


def test_pinned_copies_alone_on_the_device_are_found_with_their_rate() -> None:
    (finding,) = pcie_bound(_traced("hhhhhhhhkkkkkkkkkkkk", nbytes=1 << 20)).findings
    assert finding.title == (
        "The device waits 40% of the step for copies to the device: 1 MiB per step from pinned memory "
        "at 131 GB/s"
    )
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 4 * US, 8 * US)
    assert not finding.fix.startswith(PACK)


def test_small_copies_should_be_packed_first() -> None:
    (finding,) = pcie_bound(_traced("hhhhhhhhkkkkkkkkkkkk", nbytes=1_000)).findings
    assert finding.fix.startswith(PACK)


def test_what_the_findings_about_lines_count_is_not_counted_again() -> None:
    events = trace(
        f"step  {'s' * 20}\nop    aaaaaaaaaa.......... a=aten::copy_\n"
        "call  cccccccc............ c=cudaMemcpyAsync\n"
        "call  ........w........... w=cudaStreamSynchronize\n"
        f"gpu   .pppppppp........... {PAGEABLE}"
    )
    (finding,) = pcie_bound(trace_run(events, "x")).findings
    assert finding.saving is None
    assert finding.evidence["part_of"] == "blocking-copies"


def test_without_a_device_bytes_are_held_against_the_link_of_the_predicted_one() -> None:
    gpu = peaks_for("H200")
    assert gpu is not None and gpu.h2d_pinned is not None
    few = run(syncs=(copy(step=1, nbytes=1_000),))
    assert pcie_bound(few).findings == ()
    (finding,) = pcie_bound(run(syncs=(copy(step=1, nbytes=64 << 30),))).findings
    assert finding.title.startswith(
        "Copies need 1.09 s per step at least over the bus of NVIDIA H200"
    )
    assert (finding.saving, finding.confidence) == (None, "low")
    assert finding.evidence["link_bytes_per_second"] == gpu.h2d_pinned.value
