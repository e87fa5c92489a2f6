from __future__ import annotations

from tests.costs.calls import bf16, f32, i64, moves, why_not


def test_sizes_that_are_not_recorded_are_not_guessed() -> None:
    assert "size" in why_not("zeros", None)
    assert "bounds" in why_not("arange", None)


def test_filling_only_writes() -> None:
    assert moves("fill_", f32(10), 1.0) == (0, 0, 40)
    assert moves("zero_", bf16(10)) == (0, 0, 20)
    assert moves("zeros", (3, 4), 15) == (0, 0, 24)
    assert moves("full", (3,), 1, None) == (0, 0, 12)
    assert moves("zeros_like", i64(5), None) == (0, 0, 40)
    assert moves("new_zeros", bf16(2), (5,), None) == (0, 0, 10)


def test_ranges_are_as_long_as_their_bounds_say() -> None:
    rest = (None, None, None, None)
    assert moves("arange", 10, *rest) == (0, 0, 80)
    assert moves("arange", 2, 10, *rest) == (0, 0, 64)
    assert moves("arange", 0.0, 1.0, 0.25, *rest) == (0, 0, 16)
    assert moves("arange", 2, 10, 6, None, None, None) == (0, 0, 32)


def test_a_random_number_is_an_operation() -> None:
    assert moves("normal_", f32(10), 0.0, 1.0) == (10, 0, 40)
    assert moves("random_", i64(10)) == (0, 0, 80)
    assert moves("tril_indices", 4, 4, -1) == (0, 0, 8 * 2 * 6)
