"""Claims: every sync point is counted by exactly one rule."""

from __future__ import annotations

from collections import Counter

import pytest

from perfkit.analysis.sync_points import sync_points
from perfkit.base.errors import NotObservable
from perfkit.model.run import Run
from perfkit.rules import _claims, _engine, diagnose
from tests.draw import copy, draw, item
from tests.sample_runs import ctr_run, hostile_run, lens_run


def test_where_nobody_looked_nobody_owns_anything() -> None:
    with pytest.raises(NotObservable):
        _claims.owners(Run("empty"))


def test_what_no_rule_claims_stays_with_the_general_ones() -> None:
    run = draw("step  dddd\nsync  ic..", i=item(), c=copy())
    assert sorted(_claims.owners(run).values()) == ["blocking-copies", "host-wait-in-step"]
    assert _claims.parts(run) == {}


@pytest.mark.parametrize("run", [ctr_run(), lens_run(), hostile_run()], ids=["ctr", "lens", "bad"])
def test_every_point_has_one_owner_and_no_count_is_lost(run: Run) -> None:
    owners = _claims.owners(run)
    assert set(owners) == set(sync_points(run))
    diagnosis = diagnose(run, _engine.outcome)
    counted: Counter[str] = Counter()
    for rule, finding in diagnosis.findings():
        if finding.saving is not None and "per_step" in finding.evidence:
            counted[rule] += float(finding.evidence["per_step"])  # type: ignore[arg-type]
    expected: Counter[str] = Counter()
    for point, rule in owners.items():
        expected[rule] += point.per_step
    assert counted == expected


def test_a_line_that_is_claimed_in_part_is_listed_twice_and_counted_once() -> None:
    run = draw("step  dddd\nsync  ij..", i=item(), j=item(op="aten::nonzero", kind="nonzero"))
    first, second = sync_points(run)
    lines = _claims.by_line([first, second], {first: "a rule at model.py:88"})
    assert lines == [([first], "a rule at model.py:88"), ([second], None)]
