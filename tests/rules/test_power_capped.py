"""A GPU at its power limit."""

from __future__ import annotations

import pytest

from perfkit.model.diagnosis import Outcome
from perfkit.model.run import Run
from perfkit.rules import _engine
from perfkit.rules.power_capped import power_capped
from tests.sampled import MS, device, sampled_run

CAP, HOT = 0x4, 0x40
FULL, LOW = 1980e6, 1386e6


def outcome(run: Run) -> Outcome:
    return _engine.outcome("power-capped", power_capped, run)


def test_without_samples_it_does_not_apply_and_without_reasons_it_could_not_look() -> None:
    assert outcome(Run("r")).state == "not-applicable"
    assert outcome(sampled_run("bb", device(power=[1] * 4))).state == "not-observable"


@pytest.mark.parametrize(
    ("flags", "clock", "why"),
    [
        ([0] * 20, [FULL] * 20, "no cap"),
        ([HOT] * 20, [LOW] * 20, "heat is another rule's"),
        ([CAP] + [0] * 19, [LOW] + [FULL] * 19, "a twentieth of the time"),
        ([CAP] * 10 + [0] * 10, [FULL] * 20, "the clock did not fall"),
        ([CAP] * 20, [], "the clock is not known"),
    ],
)
def test_it_stays_silent(flags: list[int], clock: list[float], why: str) -> None:
    known = {"sm_clock": clock} if clock else {}
    assert outcome(sampled_run("b" * 10, device(throttle=flags, **known))).state == "clear", why


def test_a_cap_that_lowers_the_clock_is_found() -> None:
    flags, clock = [CAP] * 10 + [0] * 10, [LOW] * 10 + [FULL] * 10
    (finding,) = outcome(sampled_run("b" * 10, device(throttle=flags, sm_clock=clock))).findings
    assert finding.title == (
        "GPU 0 was at its power limit in 50% of the samples, at 1,386 MHz instead of 1,980 MHz"
    )
    assert finding.saving is not None
    assert finding.saving.high_ns == 15 * MS
    assert finding.evidence["reasons"] == "power cap"


def test_a_cap_all_the_time_is_measured_against_the_highest_clock() -> None:
    known = {"sm_clock": [LOW] * 8, "sm_clock_limit": [FULL] + [float("nan")] * 7}
    (finding,) = outcome(sampled_run("bbbb", device(throttle=[CAP] * 8, **known))).findings
    assert "instead of 1,980 MHz" in finding.title
