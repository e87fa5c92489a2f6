"""The gate: what holds, what does not, and that it never looks away."""

from __future__ import annotations

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.compare.comparison import Comparison, compare
from perfkit.compare.gate import broken, limits, named
from perfkit.model.diagnosis import Diagnosis
from tests.compare.pictures import diagnosis, finding, outcome, point

STEPS = tuple(range(100_000, 100_012))
SLOWER = tuple(round(1.2 * each) for each in STEPS)


def reasons(before: Diagnosis, after: Diagnosis, text: str) -> list[str]:
    found: Comparison = compare(before, after)
    return [each.why for each in broken(found, limits(text))]


@pytest.mark.parametrize(
    "text", ["slower", "slower=5", "faster=5%", "syncs=-1", "syncs", "syncs=x"]
)
def test_a_limit_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(PerfkitError, match="does not understand") as caught:
        limits(text)
    assert "syncs=+1" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["slower=5%", "syncs=+1", "copies=1", "launches=+10%", "findings=+1"]
)
def test_a_run_beside_itself_holds_every_limit(text: str) -> None:
    same = diagnosis(point(1, "x", 3.0), steps=STEPS, facts={"launches per step": "7"})
    assert reasons(same, same, text) == []


def test_less_than_the_limit_holds() -> None:
    assert reasons(diagnosis(steps=STEPS), diagnosis(steps=SLOWER), "slower=25%") == []
    assert reasons(diagnosis(point(1, "x", 3.0)), diagnosis(point(1, "x", 3.5)), "syncs=+1") == []


def test_fewer_is_never_too_many() -> None:
    left, right = diagnosis(point(1, "x", 3.0)), diagnosis(point(1, "x", 1.0))
    assert reasons(left, right, "syncs=+0, syncs=+0%") == []


def test_slower_by_more_than_the_limit() -> None:
    (why,) = reasons(diagnosis(steps=STEPS), diagnosis(steps=SLOWER), "slower=5%")
    assert why == "a step takes 20.0% longer"


def test_slower_under_the_pretence_is_said_to_be_time_of_this_cpu() -> None:
    facts = {"device": "pretend-cuda"}
    before, after = (diagnosis(steps=steps, facts=facts) for steps in (STEPS, SLOWER))
    (why,) = reasons(before, after, "slower=5%")
    assert why.startswith("a step takes 20.0% longer (time on this CPU, which is no test of CUDA")
    assert reasons(before, before, "slower=5%") == []
    told = [named(limit, compare(before, before)) for limit in limits("slower=5%,syncs=+1")]
    assert told == ["slower=5% (time on this CPU)", "syncs=+1"]


@pytest.mark.parametrize("text", ["syncs=+1", "syncs=1", "syncs=+10%"])
def test_one_sync_more(text: str) -> None:
    (why,) = reasons(diagnosis(point(1, "x", 3.0)), diagnosis(point(1, "x", 4.0)), text)
    assert why == "synchronisations per step: 3 before, 4 after"


def test_the_first_sync_is_too_many_for_any_share() -> None:
    assert reasons(diagnosis(), diagnosis(point(1, "x", 1.0)), "syncs=+10%")


def test_a_new_finding() -> None:
    left = diagnosis(outcomes=(outcome("r"),))
    right = diagnosis(outcomes=(outcome("r", finding(1)),))
    assert reasons(left, right, "findings=+1") == ["findings: 0 before, 1 after"]


def test_what_cannot_be_judged_does_not_hold() -> None:
    blind = diagnosis(outcomes=(), facts={"device": "cpu"})
    seen = diagnosis(point(1, "x"), steps=STEPS, facts={"device": "cuda"})
    found = reasons(seen, blind, "slower=5%|syncs=+1|launches=+1")
    assert len(found) == 3
    assert "cannot be judged" in found[0] and "not counted" in found[1]
