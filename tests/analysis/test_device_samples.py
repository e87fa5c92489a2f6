"""Statistics of samples over steps, energy, and when a device was held back."""

from __future__ import annotations

import pytest

from perfkit.analysis.device_samples import (
    POWER_CAP,
    THERMAL,
    Summary,
    decoded,
    energy,
    held_back,
    inside,
    low_clocks,
    sampler_share,
    summaries,
)
from perfkit.base.errors import NotObservable
from tests.sampled import EVERY, MS, NAN, device, machine, sampled_run


def by_name(found: tuple[Summary, ...], phase: str) -> dict[str, Summary]:
    return {each.quantity: each for each in found if each.phase == phase}


def test_what_was_never_had_is_a_reason_and_no_number() -> None:
    gpu = device(power=[NAN, NAN], unavailable=[("power", "no permission")])
    (only,) = summaries(gpu, ())
    assert (only.quantity, only.samples, only.mean, only.why) == ("power", 0, None, "no permission")


def test_moments_without_a_value_do_not_count_as_zero() -> None:
    found = by_name(summaries(device(power=[100, NAN, 300, NAN]), ()), "whole")["power"]
    assert (found.samples, found.low, found.mean, found.high) == (2, 100, 200, 300)


def test_a_sample_counts_for_the_step_it_was_taken_in() -> None:
    run = sampled_run("wbld", device(power=[1, 1, 2, 4, 8, 10, 100, 100]))
    found = summaries(run.samples[0], run.steps)
    assert by_name(found, "bare steps")["power"].mean == 3
    assert by_name(found, "light steps")["power"].mean == 9
    assert by_name(found, "deep steps")["power"].mean == 100
    assert by_name(found, "whole")["power"].samples == 8


def test_throttle_bits_become_shares_of_samples_by_reason() -> None:
    found = by_name(summaries(device(throttle=[0, 4, 0x44, NAN]), ()), "whole")
    assert {name: each.mean for name, each in found.items()} == {
        "throttle: power cap": pytest.approx(2 / 3),
        "throttle: too hot (hardware)": pytest.approx(1 / 3),
    }


def test_bits_in_words() -> None:
    assert decoded(0) == ()
    assert decoded(0x24) == ("power cap", "too hot (driver)")
    assert decoded(0x10000) == ("unknown (0x10000)",)


def test_without_steps_every_moment_counts_and_with_them_only_theirs() -> None:
    run = sampled_run("wb", machine(cpu_busy=[1] * 6))
    time = run.samples[0].time
    assert inside(time, (), ("bare",)).all()
    assert inside(time, run.steps, ("bare",)).tolist() == [False, False, True, True, False, False]


def test_energy_needs_steps_samples_and_time() -> None:
    assert energy(device(energy=[1, 2]), ()) == ()
    (short,) = energy(device(energy=[1, 2, 3]), sampled_run("b").steps)
    assert (short.per_step, "too short" in short.method) == (None, True)
    (neither,) = energy(device(temperature=[1] * 8), sampled_run("bbbb").steps)
    assert (neither.per_step, "neither" in neither.method) == (None, True)
    (uncovered,) = energy(device(energy=[1, 2]), sampled_run("b" * 9).steps)
    assert (uncovered.per_step, "cover" in uncovered.method) == (None, True)


def test_energy_per_step_from_the_counter() -> None:
    run = sampled_run("wwbbbbdd", device(energy=[10.0 * i for i in range(16)]))
    bare, deep = energy(run.samples[0], run.steps)
    assert (bare.phase, bare.steps, bare.method) == ("bare steps", 4, "energy counter")
    assert (bare.total, bare.per_step) == (pytest.approx(80), pytest.approx(20))
    assert deep.per_step == pytest.approx(17.5)  # the last sample stands before its end


def test_energy_per_step_from_power_where_there_is_no_counter() -> None:
    run = sampled_run("wbbbbw", device(power=[200.0] * 12))
    (bare,) = energy(run.samples[0], run.steps)
    assert (bare.per_step, bare.method) == (pytest.approx(20), "power over time")


def test_pauses_between_steps_are_no_energy_of_theirs() -> None:
    run = sampled_run("bbddbb", device(energy=[0, 0, 0, 0, 0, *[1000] * 7]))
    bare, _ = energy(run.samples[0], run.steps)
    assert bare.total == pytest.approx(0)


def test_a_device_held_back_by_stretches() -> None:
    run = sampled_run("bbbb", device(throttle=[0, 4, 4, 0, 0, 0x40, 4, 0]))
    held = held_back(run.samples[0], run.steps, POWER_CAP)
    assert (held.looked, held.flagged, held.reasons) == (8, 3, ("power cap",))
    assert held.spans.total == 3 * EVERY
    assert len(held.spans) == 2
    assert held_back(run.samples[0], run.steps, THERMAL).flagged == 1


@pytest.mark.parametrize("flags", [[], [NAN, NAN]])
def test_no_reasons_are_not_observable(flags: list[float]) -> None:
    with pytest.raises(NotObservable):
        held_back(device(throttle=flags), (), POWER_CAP)


def test_a_clock_is_low_only_where_nothing_else_explains_it() -> None:
    clock = [1980e6, 1410e6, 300e6, 1400e6, 1400e6, 1400e6, 1900e6, NAN]
    gpu = device(
        sm_clock=clock,
        sm_clock_limit=[1980e6, *[NAN] * 7],
        throttle=[0, 2, 1, 0x40, 4, 0, 0, 0],
        sm_utilisation=[1, 1, 1, 1, 1, 0.1, 1, 1],
    )
    low = low_clocks(gpu, sampled_run("bbbb").steps)
    assert (low.looked, low.flagged) == (3, 1)
    assert (low.clock, low.free) == (1410e6, 1980e6)
    assert (low.spans.start.tolist(), low.spans.total) == ([75 * MS], EVERY)
    assert low.reasons == ("clocks set by the user",)


@pytest.mark.parametrize(
    "known",
    [
        {"sm_clock": [1e9] * 2, "throttle": [0, 0]},
        {"sm_clock": [1e9] * 2, "sm_clock_limit": [2e9] * 2},
        {"sm_clock": [1e9] * 2, "sm_clock_limit": [2e9] * 2, "throttle": [0, 0]},
        {"sm_clock": [1e9] * 2, "sm_clock_limit": [2e9] * 2, "throttle": [1, 4]},
    ],
)
def test_clocks_that_cannot_be_judged_are_not_observable(known: dict[str, list[float]]) -> None:
    with pytest.raises(NotObservable):
        low_clocks(device(**known), ())


def test_the_samplers_own_cost_as_a_share_of_a_core() -> None:
    assert sampler_share(()) is None
    assert sampler_share((device(power=[1]),)) is None
    both = (device(power=[1] * 11), machine(cpu_busy=[1] * 11))
    assert sampler_share(both) == pytest.approx(2e6 / 500e6)
