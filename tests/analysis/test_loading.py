"""Waiting for batches: from loaders' own clocks, from a trace, and workers that start anew."""

from __future__ import annotations

from typing import Any

import pytest

from perfkit.analysis.loading import hand_over, loading, restarts
from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotObservable
from perfkit.model.loaders import LoaderUse, Wait
from tests.draw import US, draw
from tests.trace_pictures import trace


def loader(*waits: Wait, starts: tuple[Wait, ...] = (), **about: Any) -> LoaderUse:
    """A loader without workers whose waits lie at these µs."""
    settings: dict[str, Any] = {
        "dataset": "Clicks",
        "batch_size": 8,
        "num_workers": 0,
        "pin_memory": False,
        "prefetch_factor": None,
        "persistent_workers": False,
        **about,
    }
    settings.setdefault("batches", len(waits) + len(starts))
    return LoaderUse(starts=_ns(starts), waits=_ns(waits), **settings)


def _ns(some: tuple[Wait, ...]) -> tuple[Wait, ...]:
    return tuple((start * US, end * US) for start, end in some)


def test_without_loaders_and_trace_nothing_is_known() -> None:
    with pytest.raises(NotObservable, match="no DataLoader was watched"):
        loading(draw("step  bbbb"))
    with pytest.raises(NotObservable, match="no bare or light step"):
        loading(draw("step  dddd", loaders=(loader((0, 3)),)))


def test_bare_steps_count_before_light_ones_and_others_never() -> None:
    found = loading(draw("step  wwww.bbbb.llll", loaders=(loader((0, 4), (5, 6), (10, 14)),)))
    found.self_check()
    assert (found.wait_ns, found.step_ns, found.share) == (1 * US, 4 * US, 0.25)
    assert (found.steps, found.source, found.rest_ns) == (1, "bare steps", 3 * US)
    light = loading(draw("step  wwww.llll", loaders=(loader((5, 7)),)))
    assert (light.wait_ns, light.source) == (2 * US, "light steps")


def test_a_moment_in_which_two_loaders_are_waited_for_counts_once() -> None:
    both = loader((0, 2)), loader((1, 4), dataset="Users")
    found = loading(draw("step  bbbbbbbb", loaders=both))
    assert found.wait_ns == 4 * US
    assert found.loader is both[1]


def test_what_others_on_the_machine_add_to_making_a_batch_is_no_part_of_it() -> None:
    for workers, waited in ((0, 1 * US), (2, 4 * US)):
        used = loader((0, 4), delays=(3 * US,), num_workers=workers)
        found = loading(draw("step  bbbbbbbb", loaders=(used,)))
        found.self_check()
        assert found.wait_ns == waited
        assert found.step_ns + found.held_ns == 8 * US
        assert found.rest_ns == 4 * US


def test_steps_in_which_workers_start_are_left_out_where_there_are_others() -> None:
    used = loader((5, 6), starts=((0, 3),), num_workers=2)
    found = loading(draw("step  bbbb.bbbb", loaders=(used,)))
    assert (found.steps, found.wait_ns) == (1, 1 * US)


def test_workers_that_are_waited_for_tell_how_fast_they_make_batches() -> None:
    waits = (0, 2), (5, 7), (9, 11), (13, 15)
    found = loading(draw("step  bbbb" + ".bbb" * 3, loaders=(loader(*waits, num_workers=2),)))
    assert found.made_every_ns == 4 * US
    idle = tuple((start, start) for start, _ in waits)
    ready = loading(draw("step  bbbb" + ".bbb" * 3, loaders=(loader(*idle, num_workers=2),)))
    assert ready.made_every_ns is None


def test_a_trace_tells_where_no_loader_was_watched() -> None:
    name = "l=enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"
    run = trace_run(trace(f"step  ssssssssss\nop    llaaa..... {name} a=aten::mm"), "x")
    found = loading(run)
    assert (found.wait_ns, found.step_ns, found.loader) == (2 * US, 10 * US, None)
    assert found.source == "traced steps"


@pytest.mark.parametrize(
    "used",
    [
        loader((5, 6), starts=((0, 3), (10, 13))),
        loader((5, 6), starts=((0, 3), (10, 13)), num_workers=2, persistent_workers=True),
        loader((5, 6), starts=((0, 3),), num_workers=2),
    ],
    ids=["no workers", "they persist", "one epoch"],
)
def test_nothing_is_started_anew(used: LoaderUse) -> None:
    assert restarts(draw("step  bbbb", loaders=(used,))) == ()


def test_starts_of_later_epochs_cost_what_they_take_beyond_an_ordinary_wait() -> None:
    used = loader((5, 6), (7, 8), starts=((0, 9), (10, 14)), num_workers=2)
    (found,) = restarts(draw("step  bbbb", loaders=(used,)))
    assert (found.times, found.each_ns, found.batches) == (1, 3 * US, 2)
    assert found.per_batch_ns == 1.5 * US


def test_what_handing_over_costs_is_known_only_where_tensors_were_counted() -> None:
    assert hand_over(None) is None
    assert hand_over(loader((0, 1))) is None
    assert hand_over(loader((0, 1), tensors=9.0)) == (650 * US, 2_000 * US, 4_000 * US)


def test_a_step_that_waits_long_does_not_change_the_typical_one() -> None:
    found = loading(draw("step  bbbb.bbbb.bbbb", loaders=(loader((0, 1), (5, 6), (10, 14)),)))
    assert (found.wait_ns, found.typical_ns) == (2 * US, 1 * US)
