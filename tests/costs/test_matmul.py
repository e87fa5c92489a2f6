from __future__ import annotations

import pytest

from perfkit.costs import Operand
from tests.costs.calls import bf16, f32, known, moves, why_not


def test_shapes_that_do_not_fit_or_are_missing_are_not_known() -> None:
    assert "(6, 7)" in why_not("mm", f32(3, 5), f32(6, 7))
    assert "argument 0" in why_not("mm")
    assert "odd" in why_not("mm", *(Operand((2, 2), "odd"),) * 2)
    assert why_not("bmm", f32(3, 5), f32(5, 7))
    assert why_not("linear", f32(3, 5), f32(7, 6))


def test_groups_along_the_inner_dimension_need_their_offsets() -> None:
    assert "offsets" in why_not("_grouped_mm", bf16(8, 32), bf16(32, 16))
    offsets = Operand((4,), "int32")
    assert known("_grouped_mm", bf16(8, 32), bf16(32, 16), offsets).written == 2 * 4 * 8 * 16


def test_a_product_takes_two_operations_per_term_and_moves_each_operand_once() -> None:
    found = known("mm", bf16(3, 5), bf16(5, 7))
    assert (found.flops, found.read, found.written) == (2 * 3 * 5 * 7, 2 * (15 + 35), 2 * 21)
    assert (found.unit, found.dtype) == ("matmul", "bfloat16")


def test_a_bias_is_read_as_it_is_stored() -> None:
    bias = Operand((3, 7), "bfloat16", (0, 1))
    assert known("addmm", bias, bf16(3, 5), bf16(5, 7), 1, 1).read == 2 * (15 + 35 + 7)


def test_a_batch_multiplies_everything() -> None:
    assert moves("bmm", bf16(4, 3, 5), bf16(4, 5, 7)) == (840, 2 * 4 * (15 + 35), 2 * 84)
    assert known("addbmm", bf16(3, 7), bf16(4, 3, 5), bf16(4, 5, 7)).written == 2 * 21


def test_linear_takes_any_rows_and_matmul_broadcasts_batches() -> None:
    assert moves("linear", f32(2, 3, 5), f32(7, 5), f32(7)) == (420, 4 * 72, 4 * 42)
    assert known("matmul", f32(2, 1, 3, 5), f32(4, 5, 7)).flops == 2 * 8 * 3 * 5 * 7
    assert known("matmul", f32(3, 5), f32(5)).flops == 30


@pytest.mark.parametrize(("out", "size"), [(15, 2), (None, 1)])
def test_eight_bit_floats_are_products_of_their_own_dtype(out: int | None, size: int) -> None:
    a, scale = Operand((16, 32), "float8_e4m3fn"), f32()
    found = known("_scaled_mm", a, Operand((32, 8), "float8_e4m3fn"), scale, scale, None, None, out)
    assert (found.dtype, found.unit, found.flops) == ("float8_e4m3fn", "matmul", 2 * 16 * 32 * 8)
    assert (found.read, found.written) == (16 * 32 + 32 * 8 + 8, size * 16 * 8)


def test_whole_number_products_count_and_give_32_bits() -> None:
    a, b = Operand((17, 32), "int8"), Operand((32, 8), "int8")
    found = known("_int_mm", a, b)
    assert (found.dtype, found.flops, found.written) == ("int8", 2 * 17 * 32 * 8, 4 * 17 * 8)


def test_packed_four_bit_weights_take_half_a_byte_per_element() -> None:
    weight, scales = Operand((64, 128 // 2), "uint8"), bf16(128 // 32, 64, 2)
    found = known("_weight_int4pack_mm_for_cpu", bf16(4, 128), weight, 32, scales)
    assert found.flops == 2 * 4 * 128 * 64
    assert found.read == 2 * 4 * 128 + 64 * 128 // 2 + 2 * 4 * 64 * 2


def test_groups_of_rows_share_the_work_of_one_product() -> None:
    offsets = Operand((4,), "int32")
    rows = known("_grouped_mm", bf16(20, 32), bf16(4, 32, 16), offsets)
    assert (rows.flops, rows.written) == (2 * 20 * 32 * 16, 2 * 20 * 16)
    batch = known("_grouped_mm", bf16(4, 5, 32), bf16(4, 32, 16))
    assert (batch.flops, batch.written) == (rows.flops, rows.written)


def test_products_with_a_vector_run_outside_the_matrix_units() -> None:
    assert known("mv", f32(3, 5), f32(5)).unit == "vector"
    assert moves("addmv", f32(3), f32(3, 5), f32(5)) == (30, 4 * (15 + 5 + 3), 12)
    assert moves("dot", f32(5), f32(5)) == (10, 40, 4)
    assert moves("_cdist_forward", f32(3, 5), f32(2, 5), 2.0, None) == (90, 100, 24)


def test_gradients_of_linear_are_as_many_products_as_are_asked_for() -> None:
    x, grad, weight = f32(3, 5), f32(3, 7), f32(7, 5)
    assert known("linear_backward", x, grad, weight, (True, True, True)).flops == 2 * 210
    assert known("linear_backward", x, grad, weight, (False, True, False)).flops == 210
