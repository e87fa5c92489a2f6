from __future__ import annotations

from math import log2

from perfkit.costs import Operand
from tests.costs.calls import f32, known, moves, why_not


def test_a_vector_is_no_matrix() -> None:
    assert why_not("linalg_cholesky_ex", f32(5))


def test_leading_terms_of_factorisations() -> None:
    assert known("linalg_cholesky_ex", f32(2, 30, 30)).flops == 2 * 9000
    assert known("linalg_inv_ex", f32(30, 30)).flops == 2 * 27_000
    assert known("linalg_qr", f32(60, 30)).flops == 2 * (2 * 60 * 900 - 2 * 27_000 // 3)


def test_a_triangular_solve_takes_n_squared_per_right_hand_side() -> None:
    assert moves("linalg_solve_triangular", f32(30, 30), f32(30, 7)) == (6300, 4440, 840)


def test_a_transform_of_real_numbers_is_half_of_one_of_complex_ones() -> None:
    full = known("_fft_c2c", Operand((8, 64), "complex64"), (1,), 0, True)
    half = known("_fft_r2c", f32(8, 64), (1,), 0, True)
    assert full.flops == 5 * 512 * log2(64) == 2 * half.flops
    assert half.written == 8 * 33 * 8
