"""Live sites and the waits of the light trace: joined where both agree, unknown where ambiguous."""

from __future__ import annotations

import pytest

from perfkit.analysis.sync_points import SyncPoint, sync_points
from perfkit.model.run import Run
from perfkit.model.syncs import Sync
from tests.draw import draw, item
from tests.trace_pictures import US, trace

ONE = """
    step  ssssssssssssssss.ssssssssssssssss
    op    ..aaaaaaaaa........aaaaaaaaa..... a=aten::item
    call  l..wwwwwww..l....l..wwwwwww..l... l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   .kkkkkkkk....kk...kkkkkkkk....kk. k=gemm
"""
TWO = """
    step  ssssssssssssssss.ssssssssssssssss
    op    .aaaa..aaaa.......aaaa..aaaa..... a=aten::item
    call  l.www.l.www..l...l.www.l.www..l.. l=cudaLaunchKernel w=cudaStreamSynchronize
    gpu   .kkk...kk.....k...kkk...kk.....k. k=gemm
"""
FIRST, SECOND = item(line=1, op="aten::_local_scalar_dense"), item(line=2)
READ = item(line=1, blocked_ns=9 * US)


def _run(picture: str, events: str, **syncs: Sync) -> Run:
    return draw(picture, device="cuda", events=trace(events), **syncs)


def _idle(run: Run) -> dict[int, tuple[int | None, int | None]]:
    def line(point: SyncPoint) -> int:
        return point.site.line if point.site else 0

    return {line(point): (point.idle_ns, point.lost_ns) for point in sync_points(run)}


def test_without_a_device_in_the_trace_nothing_is_known() -> None:
    run = _run("step  llll.dddd\nsync  .....i..", "step ss\nop a. a=aten::item", i=READ)
    assert _idle(run) == {1: (None, None)}


@pytest.mark.parametrize("op", ["aten::nonzero", "aten::_to_copy"])
def test_an_operator_that_the_trace_did_not_wait_in_stays_unknown(op: str) -> None:
    run = _run("step  llll.dddd\nsync  .....i..", ONE, i=item(op=op))
    assert _idle(run) == {88: (None, None)}


def test_another_number_of_waits_per_step_stays_unknown() -> None:
    run = _run("step  llll.dddd\nsync  .....iii", ONE, i=READ)
    assert _idle(run) == {1: (None, None)}


def test_two_sites_that_wait_in_turns_stay_unknown() -> None:
    run = _run("step  llll.dddd\nsync  .....ijij", TWO, i=FIRST, j=SECOND)
    assert _idle(run) == {1: (None, None), 2: (None, None)}


def test_two_sites_whose_order_changes_stay_unknown() -> None:
    run = _run("step  llll.dddd.dddd\nsync  .....ij...ji.", TWO, i=FIRST, j=SECOND)
    assert _idle(run) == {1: (None, None), 2: (None, None)}


def test_what_waits_in_the_backward_pass_is_not_joined_with_what_does_not() -> None:
    run = _run("step  llll.dddd\nsync  .....i..", ONE, i=item(phase="backward"))
    assert _idle(run) == {88: (None, None)}


def test_the_only_site_of_an_operator_takes_its_waits() -> None:
    run = _run("step  llll.dddd.dddd\nsync  .....i....i..", ONE, i=READ)
    assert _idle(run) == {1: (4 * US, 4 * US)}
    (point,) = sync_points(run)
    assert point.blocked_ns == 9 * US


def test_sites_that_wait_once_each_are_joined_in_their_order() -> None:
    run = _run("step  llll.dddd.dddd\nsync  .....ij...ij.", TWO, i=FIRST, j=SECOND)
    assert _idle(run) == {1: (3 * US, 3 * US), 2: (5 * US, 3 * US)}


def test_what_the_detectors_measured_themselves_is_kept() -> None:
    run = _run("step  llll.dddd\nsync  .....i..", ONE, i=item(idle_ns=1, lost_ns=1))
    assert _idle(run) == {88: (1, 1)}
