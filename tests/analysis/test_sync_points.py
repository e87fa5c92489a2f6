"""Joining evidence: places stay apart, detectors never add up, steps are a mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.analysis.sync_points import (
    nothing_placed,
    set_up_syncs,
    stack_text,
    sync_points,
    unfinished_syncs,
    watched_steps,
)
from perfkit.base.errors import NotObservable
from perfkit.model.gap import LOST_SYNCS
from perfkit.model.run import Gap, Run, Step
from perfkit.model.syncs import Frame, Sync
from tests.draw import draw, item


def test_no_watched_step_is_not_observable_rather_than_free_of_syncs() -> None:
    with pytest.raises(NotObservable):
        sync_points(draw("step  bbbb.llll"))


def test_a_lost_record_is_not_observable_though_steps_were_watched() -> None:
    run = replace(draw("step  bbbb.dddd"), gaps=(Gap(LOST_SYNCS, "syncs.json is missing"),))
    with pytest.raises(NotObservable, match=r"syncs\.json is missing"):
        sync_points(run)


def test_watched_steps_without_evidence_have_no_sync_point() -> None:
    assert sync_points(draw("step  bbbb.dddd")) == ()


@pytest.mark.parametrize(
    ("device", "launches", "source"),
    [
        ("cuda", 0.0, "capture"),  # a GPU's own trace tells what it did
        ("cpu", None, "capture"),  # nobody counted
        ("pretend-cuda", 12.0, "capture"),
        ("cpu", 0.0, "trace"),
    ],
)
def test_what_did_run_on_a_device_or_was_not_counted_is_placed(device, launches, source) -> None:
    fields = {"device": device, "launches_per_step": launches, "source": source}
    assert not nothing_placed(replace(draw("step  bbbb.dddd"), **fields))


def test_a_copy_is_something_on_the_device_though_nothing_ran_there() -> None:
    run = draw("step  bbbb.dddd\nsync  .....i..", i=item(), device="cpu", launches_per_step=0.0)
    assert len(sync_points(run)) == 1


@pytest.mark.parametrize("device", ["cpu", "pretend-cuda"])
def test_where_nothing_was_on_the_device_no_wait_could_be_seen(device) -> None:
    with pytest.raises(NotObservable, match="no tensor of the watched steps"):
        sync_points(draw("step  bbbb.dddd", device=device, launches_per_step=0.0))


def test_set_up_and_warm_up_are_kept_out_of_steps() -> None:
    run = draw(
        """
        step  ..wwww.dddd.dddd
        sync  i..ii...........
        """,
        i=item(),
    )
    assert sync_points(run) == ()
    (point,) = set_up_syncs(run)
    assert (point.per_step, point.steps) == (3, 0)


def test_a_step_that_never_ended_counts_nowhere() -> None:
    run = draw(
        """
        step  dddd...
        sync  .i...ii
        """,
        i=item(),
    )
    (point,) = sync_points(run)
    assert point.per_step == 1
    assert unfinished_syncs(run) == 2


def test_per_step_is_the_mean_over_watched_steps_zeros_included() -> None:
    run = draw(
        """
        step  dddd.dddd.dddd.dddd
        sync  ii.i...........i...
        """,
        i=item(),
    )
    (point,) = sync_points(run)
    assert (point.per_step, point.steps, watched_steps(run)) == (1.0, 4, 4)


def test_two_detectors_seeing_one_sync_count_once_and_the_larger_wins() -> None:
    run = draw(
        """
        step  dddd.dddd
        sync  .ii...i..
        sync  .tt...tt.
        """,
        i=item(seen_by=("dispatch",)),
        t=item(seen_by=("trace",), certain=False, blocked_ns=5_000),
    )
    (point,) = sync_points(run)
    assert point.per_step == 2.0
    assert point.seen_by == ("dispatch", "trace")
    assert point.certain
    assert point.blocked_ns == 10_000


def test_one_detector_reaching_a_line_by_two_stacks_counts_both() -> None:
    via = (Frame("model.py", 88, "forward"), Frame("train.py", 5, "<module>"))
    run = draw(
        """
        step  dddd
        sync  ijj.
        """,
        i=item(),
        j=item(stack=via),
    )
    (point,) = sync_points(run)
    assert point.per_step == 3
    assert point.stack == via


@pytest.mark.parametrize(
    "other",
    [
        item(line=89),
        item(op="aten::nonzero"),
        item(phase="backward"),
        item(direction="none"),
        item(stack=()),
    ],
    ids=["line", "op", "phase", "direction", "no-frame"],
)
def test_what_differs_in_place_op_phase_or_direction_stays_apart(other: Sync) -> None:
    run = draw(
        """
        step  dddd
        sync  ij..
        """,
        i=item(),
        j=other,
    )
    assert [point.per_step for point in sync_points(run)] == [1, 1]


def test_trace_evidence_of_light_steps_adds_places_but_no_counts() -> None:
    run = draw(
        """
        step  llll.llll.dddd
        sync  tt...tt...i...
        sync  n....n........
        """,
        i=item(),
        t=item(seen_by=("trace",)),
        n=item(line=90, op="aten::nonzero", seen_by=("trace",)),
    )
    assert {(p.op, p.per_step) for p in sync_points(run)} == {
        ("aten::_local_scalar_dense", 1.0),
        ("aten::nonzero", 1.0),
    }


def test_unknown_bytes_and_waits_stay_unknown() -> None:
    run = draw("step  dddd\nsync  i...", i=item(nbytes=None))
    (point,) = sync_points(run)
    assert point.nbytes is None
    assert point.blocked_ns is None


def test_stack_text_is_short_and_innermost_first() -> None:
    stack = tuple(Frame(f"/a/b/m{i}.py", i, f"f{i}") for i in range(9))
    assert stack_text(stack[:2]) == "m0.py:0 f0 < m1.py:1 f1"
    assert stack_text(stack).endswith("< m5.py:5 f5 < …")
    launcher = (
        *stack[:1],
        Frame("/a/train.py", 9, "<module>"),
        Frame("/lib/click.py", 1, "invoke"),
    )
    assert stack_text(launcher) == "m0.py:0 f0 < train.py:9 <module>"
    assert stack_text((Frame(r"C:\x\model.py", 3, "f"),)) == "model.py:3 f"


_EVIDENCE = st.lists(
    st.builds(
        lambda line, step, count, detector: item(
            line=line, step=step, count=count, seen_by=(detector,)
        ),
        st.integers(1, 2),
        st.integers(0, 2),
        st.integers(0, 5),
        st.sampled_from(["dispatch", "trace", "warning"]),
    ),
    max_size=12,
)


@given(_EVIDENCE)
def test_merging_never_grows_and_repeating_a_detector_under_another_name_changes_nothing(
    syncs: list[Sync],
) -> None:
    steps = tuple(Step(i, "deep", i * 10, i * 10 + 9) for i in range(3))
    run = Run("r", steps=steps, syncs=tuple(syncs))
    merged = sum(point.per_step for point in sync_points(run)) * 3
    assert merged <= sum(s.count for s in syncs) + 1e-9
    for detector in {s.seen_by for s in syncs}:
        assert merged + 1e-9 >= sum(s.count for s in syncs if s.seen_by == detector)
    echo = tuple(replace(s, seen_by=(f"{s.seen_by[0]}-again",)) for s in syncs)
    twice = replace(run, syncs=(*syncs, *echo))
    assert sum(p.per_step for p in sync_points(twice)) * 3 == pytest.approx(merged)
