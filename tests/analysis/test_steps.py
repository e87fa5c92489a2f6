"""Step times: instruments never mix, and a number that cannot be trusted says so."""

from __future__ import annotations

import pytest

from perfkit.analysis.steps import basis, step_times, step_times_table, typical_step
from perfkit.base.errors import NotObservable
from tests.draw import US, draw


def test_nothing_measured_has_no_typical_step() -> None:
    run = draw("step  wwww.wwww")
    with pytest.raises(NotObservable):
        typical_step(run)
    assert basis(run) == "no complete step"


def test_steady_steps_carry_no_warning() -> None:
    run = draw("step  bbbb.bbbb.bbbb.bbbb.bbbb.bbbb")
    (times,) = step_times(run)
    assert (times.count, times.median_ns, times.trend, times.spread) == (6, 4 * US, 1.0, 0.0)
    assert times.warning is None


def test_slow_warm_up_is_expected_and_not_warned_about() -> None:
    (times,) = step_times(draw("step  wwwwwwww.wwwwwww.wwww.ww.ww.ww.w"))
    assert times.warning is None


def test_median_and_quartiles_of_one_instrument() -> None:
    run = draw("step  b.bb.bbb.bbbb.bbbbb.dddddddddd")
    bare, deep = step_times(run)
    assert (bare.median_ns, bare.q1_ns, bare.q3_ns) == (3 * US, 2 * US, 4 * US)
    assert bare.spread == pytest.approx(2 / 3)
    assert (deep.count, deep.median_ns, deep.spread) == (1, 10 * US, None)


def test_bare_steps_are_preferred_then_light_then_deep() -> None:
    assert typical_step(draw("step  bb.llll.dddddd")).instrument == "bare"
    assert typical_step(draw("step  llll.dddddd")).instrument == "light"
    assert typical_step(draw("step  dddddd")).instrument == "deep"


def test_steps_that_still_get_faster_are_warned_about() -> None:
    (times,) = step_times(draw("step  bbbbbbbb.bbbbbbbb.bbbbbb.bbbbbb.bbbb.bbbb"))
    assert times.trend == 0.5
    assert times.warning == "still getting faster: the last third takes 0.50x of the first"


def test_noisy_steps_are_warned_about() -> None:
    (times,) = step_times(draw("step  bb.bbbbbbbb.bb.bbbbbbbb"))
    assert times.warning is not None
    assert times.warning.startswith("noisy")


def test_basis_counts_what_was_measured() -> None:
    assert basis(draw("step  w.bb.bb.ll.ddd")) == "2 bare, 1 light and 1 deep steps"
    assert basis(draw("step  ddd")) == "1 deep step"


def test_table_has_one_row_per_instrument() -> None:
    rows = step_times_table(draw("step  w.bb.bb.dddd")).records()
    assert [(row["instrument"], row["count"]) for row in rows] == [
        ("warm-up", 1),
        ("bare", 2),
        ("deep", 1),
    ]
