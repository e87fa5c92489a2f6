"""A GPU that works below its highest clock for no reason of its own."""

from __future__ import annotations

import pytest

from perfkit.model.diagnosis import Outcome
from perfkit.model.run import Run
from perfkit.rules import _engine
from perfkit.rules.low_clock import low_clock
from tests.sampled import MS, NAN, device, sampled_run

N = 8
FULL, LOW = 2000e6, 1500e6
LIMIT = [FULL, *[NAN] * (N - 1)]


def outcome(run: Run) -> Outcome:
    return _engine.outcome("low-clock", low_clock, run)


def run(clock: list[float], flags: list[int], busy: float = 1.0) -> Run:
    about = {"sm_clock": clock, "throttle": flags, "sm_clock_limit": LIMIT}
    return sampled_run("bbbb", device(sm_utilisation=[busy] * N, **about))


def test_without_samples_it_does_not_apply() -> None:
    assert outcome(Run("r")).state == "not-applicable"


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (sampled_run("bb", device(power=[1] * 4)), "clocks and why they are so"),
        (run([LOW] * N, [0] * N, busy=0.2), "no sample at which it worked"),
        (run([LOW] * N, [0x40] * N), "no sample at which it worked"),
    ],
)
def test_what_cannot_be_judged_is_not_clear(seen: Run, why: str) -> None:
    found = outcome(seen)
    assert (found.state, why in str(found.reason)) == ("not-observable", True)


@pytest.mark.parametrize(
    ("clock", "flags", "why"),
    [
        ([FULL] * N, [0] * N, "full clock"),
        ([0.95 * FULL] * N, [2] * N, "a little below is how boost works"),
        ([LOW] * 2 + [FULL] * 6, [0] * N, "two samples"),
        ([LOW] * 3 + [FULL] * 5, [0] * N, "less than half of the time"),
        ([LOW] * 5 + [FULL] * 3, [4] * 5 + [0] * 3, "the power cap is another rule's"),
    ],
)
def test_it_stays_silent(clock: list[float], flags: list[int], why: str) -> None:
    assert outcome(run(clock, flags)).state == "clear", why


def test_locked_clocks_are_found() -> None:
    (finding,) = outcome(run([LOW] * N, [2] * N)).findings
    assert finding.title == (
        "GPU 0 worked at 1,500 MHz of 2,000 MHz in 100% of the samples (clocks set by the user)"
    )
    assert finding.saving is not None and finding.saving.high_ns == 25 * MS


def test_low_clocks_without_a_reason_say_so() -> None:
    (finding,) = outcome(run([LOW] * N, [0] * N)).findings
    assert "NVML gives no reason" in finding.title
