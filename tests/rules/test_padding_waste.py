"""padding-waste: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.rules.padding_waste import padding_waste
from tests.cost_rows import product, row
from tests.rules.operand_runs import HERE, predicted, run, saved

IDS = Operands(
    "padding", "aten::embedding", (4, 16), "padding ids", 1, looked=64, part=32,
    padded=0.5, padded_pairs=0.75, place=HERE,
)  # fmt: skip
MASK = replace(
    IDS, aspect="mask", op="aten::_softmax", shape=(4, 2, 16, 16), what="padding", padded=0.25
)
LINEAR = product(us=40, signature="f32[64,8] x f32[8,8]")
PAIRS = row(us=20, signature="f32[4,2,16,16]")


def test_abstains_where_nothing_tells_what_is_padding() -> None:
    with pytest.raises(NotApplicable):
        padding_waste(Run("empty"))
    with pytest.raises(NotApplicable, match="padding_idx"):
        padding_waste(run())
    with pytest.raises(NotObservable, match="wait"):
        padding_waste(run(replace(MASK, what="not read", padded=None)))
    with pytest.raises(NotObservable, match="a trace"):
        padding_waste(run(operands=None, source="trace"))


@pytest.mark.parametrize(
    ("told", "cost"),
    [
        (replace(IDS, padded=0.09), LINEAR),
        (IDS, product(us=9, signature="f32[64,8] x f32[8,8]")),
        (IDS, product(us=40, signature="f32[63,8] x f32[8,8]")),
        (IDS, replace(LINEAR, phase="other")),
    ],
    ids=["little padding", "a sliver of the step", "other sizes", "the optimizer"],
)
def test_silent(told: Operands, cost) -> None:
    assert padding_waste(run(told, costs=(cost,))).findings == ()


def test_silent_on_a_step_that_waits_for_its_launches() -> None:
    assert padding_waste(predicted(IDS, launches=1000.0, costs=(LINEAR,))).findings == ()


def test_places_lose_their_share_and_pairs_theirs() -> None:
    (finding,) = padding_waste(run(IDS, costs=(LINEAR, PAIRS))).findings
    assert saved(finding) == (8_750, 23_333, 35_000)
    assert (finding.place, finding.rewrite) == (HERE, "packing")
    assert finding.title == "50% of a batch of 4 x 16 is padding: 35 µs of work per step"
    assert (finding.evidence["linear_ns"], finding.evidence["pairs_ns"]) == (40_000, 20_000)


def test_ids_and_masks_of_one_batch_are_one_finding() -> None:
    (finding,) = padding_waste(run(MASK, IDS, costs=(LINEAR,))).findings
    assert finding.evidence["told_by"] == "aten::embedding"


def test_a_mask_alone_tells_it_too() -> None:
    (finding,) = padding_waste(run(MASK, costs=(LINEAR,))).findings
    assert saved(finding)[2] == 10_000


def test_work_of_two_batches_counts_once() -> None:
    longer = replace(IDS, shape=(4, 32))
    both = row(us=20, signature="f32[4,16,32]")
    findings = padding_waste(run(IDS, longer, costs=(LINEAR, both))).findings
    assert sum(saved(finding)[2] for finding in findings) == 30_000


def test_at_low_nothing_is_gained_where_launches_limit_the_step() -> None:
    places = row(us=480, signature="f32[64,8]")
    (finding,) = padding_waste(predicted(IDS, launches=80.0, costs=(places,))).findings
    low, likely, _ = saved(finding)
    assert low == 0 < likely
