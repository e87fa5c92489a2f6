"""A GPU slowed down by heat or hardware."""

from __future__ import annotations

import pytest

from perfkit.model.diagnosis import Outcome
from perfkit.model.run import Run
from perfkit.rules import _engine
from perfkit.rules.throttled import throttled
from tests.sampled import MS, device, machine, sampled_run

HOT, BRAKE, CAP, IDLE = 0x40, 0x80, 0x4, 0x1


def outcome(run: Run) -> Outcome:
    return _engine.outcome("throttled", throttled, run)


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (sampled_run("bb", machine(unavailable=[("devices", "no driver")])), "no driver"),
        (
            sampled_run("bb", device(power=[1, 1], unavailable=[("throttle reasons", "MIG")])),
            "no throttle reasons (MIG)",
        ),
        (sampled_run("ww", device(throttle=[HOT] * 4)), "no sample fell into"),
    ],
)
def test_what_was_not_seen_is_not_clear(run: Run, why: str) -> None:
    found = outcome(run)
    assert (found.state, why in str(found.reason)) == ("not-observable", True)


def test_a_run_that_used_or_sampled_no_gpu_misses_nothing() -> None:
    assert outcome(Run("r", device="cuda")).state == "not-applicable"
    host = machine(unavailable=[("devices", "no driver")])
    found = outcome(Run("r", device="cpu", samples=(host,)))
    assert (found.state, found.reason) == (
        "not-applicable",
        "no device was sampled: no driver",
    )


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ([0] * 20, "nothing held it back"),
        ([CAP] * 20, "the power cap is another rule's"),
        ([IDLE] * 20, "idle"),
        ([HOT] * 2 + [0] * 18, "two samples are no throttling"),
        ([HOT] * 4 + [0] * 16, "hot only while it warmed up"),
    ],
)
def test_it_stays_silent(flags: list[int], why: str) -> None:
    steps = "ww" + "b" * 8 if why.startswith("hot only") else "b" * 10
    found = outcome(sampled_run(steps, device(throttle=flags)))
    assert (found.state, found.findings) == ("clear", ()), why


def test_heat_in_measured_steps_is_found_with_what_it_may_cost() -> None:
    clock = [1980e6] * 10 + [990e6] * 10
    run = sampled_run("b" * 10, device(throttle=[0] * 10 + [HOT] * 10, sm_clock=clock))
    (finding,) = outcome(run).findings
    assert finding.title == "GPU 0 was slowed down in 50% of the samples: too hot (hardware)"
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        0,
        12_500_000,
        25 * MS,
    )
    assert finding.evidence["held_back_ns"] == 10 * 50 * MS - 50 * MS + 1
    assert finding.evidence["stretches"] == 1


def test_only_the_device_that_was_held_back_is_named() -> None:
    run = sampled_run("bbbb", device(0, throttle=[0] * 8), device(1, throttle=[BRAKE] * 8))
    (finding,) = outcome(run).findings
    assert finding.title.startswith("GPU 1 ")
    assert finding.saving is None
    assert finding.evidence["sm_clock_hz"] is None


def test_one_device_that_does_not_tell_is_said_beside_one_that_does() -> None:
    found = outcome(sampled_run("bb", device(0, throttle=[0] * 4), device(1, power=[1] * 4)))
    assert found.state == "clear"
    assert "device 1: no throttle reasons" in str(found.reason)


def test_samples_of_a_program_without_steps_count_all() -> None:
    found = outcome(sampled_run("", device(throttle=[HOT] * 5)))
    assert (found.state, found.findings[0].saving) == ("found", None)
