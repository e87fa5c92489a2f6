"""Sizes that a run saw: told, never filled in."""

from __future__ import annotations

import pytest

from perfkit.fixes import _seen
from perfkit.fixes._apply import fixed
from perfkit.fixes._codemod import chosen
from perfkit.model.costs import OpCost

HEAD = "import torch\nimport torch.nn.functional as F\n\n\ndef f(x, n):\n"


def _row(op: str, signature: str, calls: int = 1, **fields: int) -> OpCost:
    return OpCost(op, signature, calls, **fields)


def _outcome(body: str, *rows: OpCost):
    data = (HEAD + f"    return {body}\n").encode()
    names = ["one_hot_classes", "repeat_output_size", "static_nonzero"]
    return fixed(data, chosen(names, ()), unsafe=True, seen={6: rows})


HOT = "F.one_hot(x)", _row("aten::scatter_", "i64[3,7] x i64[3,1]", 5)
ROWS = "x.repeat_interleave(n)", _row("aten::repeat_interleave", "i64[3]", written=96)
WHERE = "x.nonzero()", _row("aten::nonzero", "bool[3,4]", written=64)


@pytest.mark.parametrize("body", ["F.one_hot(x)", "x.repeat_interleave(n)", "x.nonzero()"])
def test_a_run_that_saw_nothing_there_changes_nothing(body: str) -> None:
    outcome = _outcome(body, _row("aten::add", "f32[3]"))
    assert not outcome.changed and not outcome.advice


@pytest.mark.parametrize(
    ("body", "row", "told"),
    [
        (HOT[0], _row("aten::scatter_", "i64[3,9] x i64[3,1]"), "7 to 9 in 6 calls of one step"),
        (ROWS[0], _row("aten::repeat_interleave", "i64[3]", written=8), "1 to 12 in 2 calls"),
        (WHERE[0], _row("aten::nonzero", "bool[3,4]", 8, written=64), "only the sum was recorded"),
    ],
)
def test_several_sizes_are_told_and_not_filled_in(body: str, row: OpCost, told: str) -> None:
    first = {HOT[0]: HOT[1], ROWS[0]: ROWS[1], WHERE[0]: WHERE[1]}[body]
    outcome = _outcome(body, first, row)
    assert not outcome.changed
    (note,) = outcome.advice
    assert told in note.text and not note.to_write


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (HOT, "saw classes: 7 in 5 calls of one step; the largest of a batch is no bound"),
        (ROWS, "saw totals: 12 in 1 call of one step; a total follows the batch"),
        (WHERE, "saw numbers of positions: 4 in 1 call of one step; they follow the values"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_even_the_one_size_is_told_and_not_filled_in(seen: tuple[str, OpCost], told: str) -> None:
    outcome = _outcome(*seen)
    assert not outcome.changed and not outcome.held
    (note,) = outcome.advice
    assert told in note.text and not note.to_write


def test_shapes_are_read_from_signatures() -> None:
    row = _row("aten::eq", "i64[276,2] x bool[] x 3")
    assert _seen.operands(row) == [("i64", (276, 2)), ("bool", ())]
    assert _seen.compared([row]) == {(276, 2)}
