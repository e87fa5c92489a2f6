"""Whether a step takes longer: silent where nothing can be told, and what the interval promises."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.compare.steps import (
    LEAST,
    Sample,
    interval_rank,
    judged,
    samples,
    starved_cores,
    step_change,
    wander,
)
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.model.table import Cell, Column, Table

BASE = (100, 104, 98, 101, 99, 103, 100, 102, 97, 105, 100, 101)


def sample(durations: tuple[int, ...], instrument: str = "bare") -> Sample:
    return Sample(instrument, sorted(durations)[len(durations) // 2], durations, len(durations))


def times(factor: float, durations: tuple[int, ...] = BASE) -> tuple[int, ...]:
    return tuple(round(1000 * factor * each) for each in durations)


def diagnosis(**steps: tuple[int, ...]) -> Diagnosis:
    rows: list[tuple[Cell, ...]] = [
        (index, name, duration)
        for name, durations in steps.items()
        for index, duration in enumerate(durations)
    ]
    columns = (Column("index"), Column("instrument"), Column("duration_ns", "ns"))
    tables = {"steps": Table(columns, tuple(rows))}
    return Diagnosis("a", Verdict("", "", ""), Coverage(0, ""), tables=tables)


def test_two_runs_of_one_program_do_not_differ() -> None:
    change = judged(sample(times(1)), sample(times(1, BASE[::-1])))
    assert change.judgement == "same"
    assert change.low is not None and change.high is not None
    assert change.low <= 1 <= change.high


def test_a_difference_below_what_two_runs_differ_by_anyhow_is_none() -> None:
    steady = (100,) * 12
    change = judged(sample(times(1, steady)), sample(times(1 + LEAST * 0.9, steady)))
    assert change.low is not None and change.low > 1
    assert change.judgement == "same"


def test_a_level_that_moves_within_the_runs_is_no_difference_between_them() -> None:
    drifting = tuple(range(100, 160, 5))
    change = judged(sample(times(1, drifting)), sample(times(1.3, drifting)))
    assert change.wander > 1.5
    assert change.judgement == "same"


def test_a_few_steps_are_not_judged() -> None:
    change = judged(sample(times(1, BASE[:4])), sample(times(5, BASE[:4])))
    assert change.judgement == "unknown"
    assert "too few" in change.reason
    assert change.ratio == pytest.approx(5, rel=0.1)


def test_medians_without_their_steps_are_not_judged() -> None:
    one = Sample("bare", 100, (), 6)
    change = judged(one, one)
    assert (change.judgement, change.ratio) == ("unknown", 1.0)
    assert "median" in change.reason


def test_steps_of_different_instruments_are_never_compared() -> None:
    change = step_change(diagnosis(bare=times(1)), diagnosis(deep=times(1)))
    assert change.judgement == "unknown"
    assert "instruments distort" in change.reason
    assert step_change(diagnosis(), diagnosis()).reason.startswith("no complete step")


@pytest.mark.parametrize(("factor", "told"), [(0.5, "faster"), (1.2, "slower")])
def test_a_real_difference_is_told_with_its_size(factor: float, told: str) -> None:
    change = step_change(diagnosis(bare=times(1)), diagnosis(bare=times(factor)))
    assert change.judgement == told
    assert change.ratio == pytest.approx(factor, rel=0.02)
    assert change.saved_ns == pytest.approx(100_000 * (1 - factor), rel=0.05)


def test_bare_steps_are_preferred_to_traced_ones() -> None:
    both = diagnosis(deep=times(3), bare=times(1))
    assert step_change(both, both).before == samples(both)["bare"]


def test_five_steps_of_each_are_the_fewest_that_can_tell() -> None:
    assert [interval_rank(n, n) for n in (1, 4, 5, 6, 8)] == [0, 0, 1, 3, 8]


@pytest.mark.parametrize(("n", "m"), [(3, 4), (4, 4), (2, 6)])
def test_ranks_are_those_of_all_orders_counted_one_by_one(n: int, m: int) -> None:
    counts: Counter[int] = Counter()
    for mine in itertools.combinations(range(n + m), n):
        others = set(range(n + m)) - set(mine)
        counts[sum(a > b for a in mine for b in others)] += 1
    for confidence in (0.5, 0.8, 0.9, 0.95):
        k = interval_rank(n, m, confidence)
        below = [sum(counts[u] for u in range(end)) / math.comb(n + m, n) for end in (k, k + 1)]
        assert below[0] <= (1 - confidence) / 2 < below[1]


def test_the_approximation_continues_the_exact_ranks() -> None:
    exact, beyond = interval_rank(20, 20), interval_rank(20, 21)
    assert 0 <= beyond - exact <= 8


def test_the_interval_holds_as_often_as_it_promises() -> None:
    draw = random.Random(7)
    missed = 0
    for _ in range(400):
        pair = [tuple(round(1e6 * math.exp(draw.gauss(0, 0.2))) for _ in range(8)) for _ in "ab"]
        change = judged(sample(pair[0]), sample(pair[1]))
        assert change.low is not None and change.high is not None
        missed += not change.low <= 1 <= change.high
    assert missed <= 12  # 4 are expected; more than 12 happens once in 3000 times


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=40))
def test_before_and_after_exchanged_tell_the_opposite(durations: list[int]) -> None:
    one, other = sample(tuple(durations)), sample(tuple(2 * each for each in durations))
    forth, back = judged(one, other), judged(other, one)
    opposite = {"faster": "slower", "slower": "faster"}
    assert back.judgement == opposite.get(forth.judgement, forth.judgement)


def crowded(diagnosis: Diagnosis, cores_had: float, busy: float = 1.0) -> Diagnosis:
    """The same on two cores, of which the program had some while they were busy."""
    columns = tuple(map(Column, ("phase", "quantity", "mean")))
    rows = (("bare steps", "cpu_busy", busy), ("bare steps", "process_cpu", cores_had))
    tables = {**diagnosis.tables, "host_samples": Table(columns, rows)}
    return replace(diagnosis, tables=tables, facts={"cores": "2"})


def test_a_step_that_had_less_of_the_cores_is_not_slower_for_that() -> None:
    left, right = crowded(diagnosis(bare=times(1)), 0.9), crowded(diagnosis(bare=times(1.8)), 0.5)
    change = step_change(left, right)
    assert change.judgement == "same"
    assert change.after is not None and change.after.starved_cores == 0.5
    assert "the program had 0.5 of them" in str(change.after.warning)


@pytest.mark.parametrize(("had", "busy"), [(0.5, 0.4), (1.9, 1.0)], ids=["idle cores", "all mine"])
def test_cores_that_nobody_else_used_change_nothing(had: float, busy: float) -> None:
    left = crowded(diagnosis(bare=times(1)), had, busy)
    assert step_change(left, crowded(diagnosis(bare=times(1.8)), had, busy)).judgement == "slower"
    assert starved_cores(left, "bare") is None


def test_wander_is_told_of_six_steps_or_more() -> None:
    assert wander((1, 100, 1, 100, 1)) == 1.0
    assert wander((100, 100, 100, 150, 150, 150)) == pytest.approx(1.5)
