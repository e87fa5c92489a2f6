"""Chains of elementwise operators."""

from __future__ import annotations

from perfkit.analysis.elementwise_chains import elementwise_chains
from perfkit.model.costs import OpCost
from tests.cost_rows import product, row, unknown


def chain(*names: str, **fields: object) -> list[OpCost]:
    return [row(f"aten::{name}", us=2, module="M", phase="forward", **fields) for name in names]


def test_silent_on_two_operators() -> None:
    assert elementwise_chains(chain("mul", "add")) == ()


def test_silent_where_something_else_stands_between() -> None:
    mul, add = chain("mul", "mul"), chain("add", "add")
    assert elementwise_chains([*mul, product(module="M"), *add]) == ()
    assert elementwise_chains([*mul, unknown(module="M"), *add]) == ()


def test_silent_across_modules_phases_and_different_numbers_of_calls() -> None:
    first = chain("mul", "add")
    for other in ({"module": "N"}, {"phase": "backward"}, {"calls": 2}):
        rest = [row("aten::relu", us=2, **{"module": "M", "phase": "forward", **other})]
        assert elementwise_chains([*first, *rest]) == ()


def test_silent_where_the_next_reads_less_than_was_written() -> None:
    small = row("aten::relu", us=0.1, module="M", phase="forward")
    assert elementwise_chains([*chain("mul", "add"), small]) == ()


def test_results_in_between_are_saved_twice() -> None:
    (found,) = elementwise_chains(chain("mul", "add", "relu", calls=4))
    assert [cost.op for cost in found.rows] == ["aten::mul", "aten::add", "aten::relu"]
    assert (found.nbytes, found.saved_bytes, found.launches_saved) == (6 * 10**6, 4 * 10**6, 8)


def test_a_chain_ends_and_another_begins() -> None:
    costs = [*chain("mul", "add", "relu"), product(), *chain("mul", "add", "relu", "neg")]
    assert [len(found.rows) for found in elementwise_chains(costs)] == [4, 3]
