"""Which instrument measures which step: words of one letter per step (w b d l a)."""

from __future__ import annotations

import pytest

from perfkit.capture.schedule import Limits, Schedule, median_error, missing, overhead
from perfkit.model.run import Step


def played(durations, limits=None, lead_in=0):
    """The labels of steps with these durations, as first letters."""
    schedule = Schedule(limits)
    schedule.lead_in = lead_in
    word, elapsed = "", 0
    for duration in durations:
        elapsed += duration
        word += schedule.step_ended(duration, elapsed)[0]
    return word


def test_a_program_of_six_steps_gets_something_of_everything():
    assert played([90, 50, 50, 50, 50, 50]) == "wwbdll"


def test_a_steady_program_is_measured_and_then_left_alone():
    assert played([90] + [50] * 20) == "wwbdlllbbbbbdd" + "a" * 7


def test_warm_up_lasts_while_steps_still_get_faster():
    assert played([800, 400, 200, 100, 50, 50, 50]).startswith("wwwwwb")


def test_warm_up_ends_although_steps_never_stop_getting_faster():
    assert played([2 ** (30 - k) for k in range(20)]).startswith("w" * 12 + "b")


def test_noisy_steps_are_timed_longer_but_not_for_ever():
    noisy = [50 if k % 2 else 90 for k in range(200)]
    word = played(noisy)
    assert word.count("b") == 50
    assert word.endswith("a")


def test_the_users_numbers_are_kept_exactly():
    assert played([50] * 12, Limits(steps=8, warmup=1)) == "wbdllbbbda" + "aa"


def test_no_warm_up_and_three_steps_are_one_of_each():
    assert played([50] * 5, Limits(steps=3, warmup=0)) == "bdlaa"


def test_a_time_limit_ends_measuring_wherever_it_is():
    assert played([90, 50, 50, 50, 50], Limits(max_ns=200)) == "wwbda"


def test_a_lead_in_prepares_each_deep_stage_without_counting():
    assert played([90] + [50] * 18, lead_in=1) == "wwbwdlllbbbbbwddaaa"


def test_fewer_light_steps_where_the_trace_would_grow_too_large():
    schedule = Schedule()
    schedule.light_steps = 1
    assert "".join(schedule.step_ended(50, 50)[0] for _ in range(6)) == "wwbdlb"


def test_ranks_change_instruments_by_count_whatever_their_durations():
    together = Limits().in_lockstep()
    assert played([100] * 30, together) == played([900, 5, 80] * 10, together)
    assert Limits(steps=6, warmup=1).in_lockstep() == Limits(steps=6, warmup=1)


def test_restarting_begins_at_warm_up():
    schedule = Schedule()
    for _ in range(5):
        schedule.step_ended(50, 50)
    schedule.restart()
    assert schedule.current == "warm-up"
    assert schedule.taken("deep") == 0


def steps(word, duration=100):
    names = {"w": "warm-up", "b": "bare", "l": "light", "d": "deep"}
    return tuple(
        Step(k, names[c], 1000 * k, 1000 * k + duration * (2 if c == "d" else 1))
        for k, c in enumerate(word)
    )


def test_nothing_is_missing_when_every_instrument_measured():
    assert missing(steps("wwbbbdl")) == ()


def test_each_instrument_that_measured_nothing_is_told():
    gaps = [gap.what for gap in missing(steps("wwb"))]
    assert gaps == ["the operator trace", "the synchronisation points", "our own overhead"]


def test_overhead_is_unknown_with_too_few_bare_steps():
    assert overhead(steps("wwbdl")) == {"light": None, "deep": None}


def test_overhead_is_the_ratio_of_medians():
    assert overhead(steps("wwbbbddll")) == {"light": 1.0, "deep": 2.0}


def test_a_single_step_is_compared_with_nothing():
    assert overhead(steps("wwbbbdll")) == {"light": 1.0, "deep": None}


@pytest.mark.parametrize(("values", "error"), [([50] * 9, 0.0), ([40, 60], 0.2)])
def test_the_medians_error_is_half_its_interval(values, error):
    assert median_error(values) == pytest.approx(error)
