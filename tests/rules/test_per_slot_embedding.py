"""per-slot-embedding: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules.blocking_copies import blocking_copies
from perfkit.rules.per_slot_embedding import per_slot_embedding
from tests.draw import US, copy, draw
from tests.sample_runs import lens_run
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/slots.py",
    """
    def forward(self, slots):
        words = self.words(slots[0])
        for values in slots:
            vectors = self.table(values)
            pooled.append(vectors.sum(0))
        return pooled

    def move(slots, device):
        return {slot: bag.to(device) for slot, bag in slots.items()}

    def others(parts, device):
        return [part.to(device) for part in parts]
    """,
)


def _rows(line: str, op: str, calls: int) -> OpCost:
    return OpCost(op, "", calls, place=at(FILE, line))


def _costed(*rows: OpCost, device: str = "pretend-cuda") -> Run:
    return draw("step  bbbb.dddd", costs=rows, costed_steps=1, device=device)


def _copied(line: str, times: int) -> Run:
    return draw(
        f"step  {'d' * times}\nsync  {'c' * times}", c=copy(stack=(at(FILE, line),)), device="cpu"
    )


def _found(run: Run) -> tuple[Finding, ...]:
    return per_slot_embedding(run).findings


def test_it_does_not_apply_where_operators_were_not_counted_by_line() -> None:
    for run in (draw("step  dddd"), draw("step  bbbb"), lens_run()):
        with pytest.raises(NotApplicable):
            per_slot_embedding(run)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (_rows("words =", "aten::embedding", 20), "in no loop"),
        (_rows("vectors =", "aten::embedding", 7), "a few"),
        (_rows("vectors =", "aten::add", 28), "no lookup"),
    ],
)
def test_silent_on_lookups(row: OpCost, why: str) -> None:
    looked = per_slot_embedding(_costed(row))
    assert looked.findings == (), why
    assert looked.at.endswith("embedding lookups per step")


def test_silent_on_copies_that_are_few_or_of_no_slots() -> None:
    for run in (_copied("bag.to", 7), _copied("part.to", 20)):
        with pytest.raises(NotApplicable):
            per_slot_embedding(run)


def test_twenty_eight_lookups_are_one_finding_at_the_loop() -> None:
    run = _costed(_rows("vectors =", "aten::embedding", 28), _rows("pooled.", "aten::sum", 28))
    (finding,) = _found(run)
    assert finding.title == (
        "28 embedding lookups one after another in forward: 56 operators per step that a few would do"
    )
    assert finding.place == at(FILE, "for values in", "forward")
    assert finding.rewrite == "fused_embedding"
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 189 * US, 540 * US)


def test_on_a_gpu_no_more_is_saved_than_the_step_takes() -> None:
    (finding,) = _found(_costed(_rows("vectors =", "aten::embedding", 28), device="cuda"))
    assert finding.saving is not None
    assert finding.saving.high_ns == 4 * US


def test_copies_of_slots_are_one_finding_and_their_line_part_of_it() -> None:
    run = _copied("bag.to", 56)
    (finding,) = _found(run)
    assert finding.title == (
        "The slots are copied one by one in move: 56 blocking copies per step (slots.py:9)"
    )
    assert finding.code == "for (slot, bag) in slots.items()"
    (line,) = blocking_copies(run).findings
    assert (line.saving, line.evidence["part_of"]) == (None, "per-slot-embedding at slots.py:9")
