"""many-tiny-ops: silent cases first, then exact numbers."""

from __future__ import annotations

import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules.many_tiny_ops import many_tiny_ops
from tests.draw import US, draw, item
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/tiny.py",
    """
    def forward(self, x):
        y = x.exp()
        for number in range(32):
            for half in (0, 1):
                a = x[half] * 2
            b = a.sum()
        for row in experts:
            c = row.item()
            d = row + c
        return b

    def train(loader):
        for x in loader:
            z = x.sin()
    """,
)


def _rows(line: str, op: str, calls: int, nbytes: int = 4096) -> OpCost:
    return OpCost(op, "", calls, read=nbytes * calls, written=0, place=at(FILE, line))


def _run(*rows: OpCost, **changes: object) -> Run:
    return draw("step  bbbb.dddd", costs=rows, costed_steps=1, **changes)


def _found(*rows: OpCost, **changes: object) -> tuple[Finding, ...]:
    return many_tiny_ops(_run(*rows, **changes)).findings


def test_it_does_not_apply_where_operators_were_not_counted_by_line() -> None:
    for run in (draw("step  bbbb"), _run(OpCost("aten::mul", "", 100))):
        with pytest.raises(NotApplicable):
            many_tiny_ops(run)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([("y = x.exp", "aten::exp", 500)], "in no loop"),
        ([("z = x.sin", "aten::sin", 500)], "the loop of the steps"),
        ([("a = x", "aten::mul", 63)], "few"),
        ([(line, f"aten::{n}", 7) for n in range(10) for line in ("a = x",)], "few rounds"),
        ([("a = x", "aten::mul", 64, 1 << 20)], "each is large enough"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_silent(rows: list[tuple[str, str, int]], why: str) -> None:
    assert _found(*(_rows(*row) for row in rows)) == (), why


def test_silent_on_a_loop_of_which_another_rule_speaks() -> None:
    read = item(stack=(at(FILE, "c = row"),))
    run = draw(
        "step  dddd\nsync  iiii", i=read, costs=(_rows("d = row", "aten::add", 99),), costed_steps=1
    )
    assert many_tiny_ops(run).findings == ()


def test_the_outermost_loop_of_the_function_is_named() -> None:
    (finding,) = _found(_rows("a = x", "aten::mul", 64), _rows("b = a", "aten::sum", 32))
    assert finding.title == "The loop in forward issues 96 small operators per step, 4 KiB each"
    assert finding.place == at(FILE, "for number", "forward")
    assert finding.evidence["most_called"] == "aten::mul, 64 per step"
    assert finding.saving is not None
    gone = 96 * (1 - 1 / 64)
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns) == (0, round(gone * 3.5 * US))
    assert saving.high_ns == round(gone * 10 * US)


def test_on_a_gpu_no_more_is_saved_than_the_step_takes() -> None:
    (finding,) = _found(_rows("a = x", "aten::mul", 64), device="cuda")
    assert finding.saving is not None
    assert finding.saving.high_ns == 4 * US
