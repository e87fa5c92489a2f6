from __future__ import annotations

import pytest

from perfkit.costs import Operand
from tests.costs.calls import bf16, f32, i64, known, moves, why_not


def test_shapes_that_do_not_fit_are_not_known() -> None:
    assert "fit" in why_not("add", f32(3), f32(4), 1)
    assert why_not("add", 1, 2)


def test_arithmetic_on_whole_numbers_is_no_floating_point() -> None:
    assert moves("add", i64(10), i64(10), 1) == (0, 160, 80)
    assert moves("bitwise_and", i64(10), i64(10)) == (0, 160, 80)


def test_whole_numbers_divided_become_floats() -> None:
    assert moves("div", i64(10), i64(10)) == (10, 160, 40)
    assert moves("div_", f32(10), 3) == (10, 40, 40)


def test_stretched_operands_are_read_as_they_are_stored() -> None:
    assert moves("mul", f32(8, 4), f32(4)) == (32, 4 * 36, 128)
    assert known("mul", f32(8, 4), f32(8, 4, strides=(0, 1))).read == 4 * 36


def test_a_factor_is_one_operation_more() -> None:
    assert known("add", f32(10), f32(10), 1).flops == 10
    assert known("add", f32(10), f32(10), 0.5).flops == 20
    assert known("addcmul", f32(10), f32(10), f32(10), 1).flops == 20


def test_comparisons_give_one_byte_each() -> None:
    assert moves("gt", f32(10), 0.5) == (10, 40, 10)
    assert moves("logical_not", Operand((10,), "bool")) == (0, 10, 10)


@pytest.mark.parametrize(("name", "per"), [("relu", 1), ("tanh", 1), ("sigmoid", 4), ("gelu", 5)])
def test_activations_count_their_formula(name: str, per: int) -> None:
    assert moves(name, bf16(100)) == (100 * per, 200, 200)
    assert moves(f"{name}_", bf16(100)) == (100 * per, 200, 200)


def test_backward_passes_read_gradient_and_what_was_kept() -> None:
    assert moves("tanh_backward", f32(10), f32(10)) == (30, 80, 40)
    assert moves("threshold_backward", f32(10), f32(10), 0) == (10, 80, 40)


def test_a_selection_reads_both_sides_and_its_condition() -> None:
    condition = Operand((10,), "bool")
    assert moves("where", condition, f32(10), f32()) == (10, 10 + 40 + 4, 40)
    assert known("where", condition, bf16(10), f32(10)).written == 40


def test_two_real_tensors_make_a_complex_one_of_twice_the_size() -> None:
    assert moves("polar", f32(10), f32(10)) == (40, 80, 80)


def test_dropout_keeps_a_mask() -> None:
    assert moves("native_dropout", f32(10), 0.5, True) == (20, 40, 50)
    assert moves("native_dropout_backward", f32(10), Operand((10,), "bool"), 2.0) == (20, 50, 40)


def test_an_output_given_to_write_into_is_not_read() -> None:
    assert moves("mul", f32(10), f32(10), f32(10)) == (10, 80, 40)
