from __future__ import annotations

import pytest

from perfkit.costs.elementwise import COSTS as ELEMENTWISE
from perfkit.costs.foreach import COSTS
from tests.costs.calls import f32, known, moves, why_not

TWO = (f32(10), f32(3, 5))


def test_an_empty_list_costs_nothing_and_one_without_shapes_is_not_known() -> None:
    assert moves("_foreach_add_", (), 1.0) == (0, 0, 0)
    assert "list" in why_not("_foreach_add_", None, 1.0)
    assert "recorded shape" in why_not("_foreach_add_", (None, None), 1.0)


def test_a_list_costs_what_its_items_cost() -> None:
    assert moves("_foreach_mul_", TWO, 2.0) == (25, 100, 100)
    assert moves("_foreach_add_", TWO, TWO, 1) == (25, 200, 100)
    assert moves("_foreach_addcdiv_", TWO, TWO, TWO, (1.0, 0.5)) == (10 * 2 + 15 * 3, 300, 100)


def test_norms_give_a_number_each() -> None:
    assert moves("_foreach_norm", TWO, 2, 6) == (2 * 25 + 2, 100, 8)


def test_copies_and_zeros_move_without_arithmetic() -> None:
    assert moves("_foreach_copy_", TWO, TWO) == (0, 100, 100)
    assert moves("_foreach_zero_", TWO) == (0, 0, 100)


def test_unscaling_reads_and_writes_every_gradient() -> None:
    name = "_amp_foreach_non_finite_check_and_unscale_"
    assert moves(name, TWO, f32(1), f32(1)) == (50, 100, 100)


@pytest.mark.parametrize("name", sorted(name for name in COSTS if name.endswith("_")))
def test_in_place_and_not_in_place_are_both_there(name: str) -> None:
    assert name[:-1] in COSTS


def test_every_plain_operator_behind_a_list_exists() -> None:
    assert "aten::sqrt" in ELEMENTWISE and known("_foreach_sqrt", TWO).flops == 25
