from __future__ import annotations

from perfkit.costs import Operand
from tests.costs.calls import f32, i64, known, moves, why_not

BIG, MASK = f32(1000, 8), Operand((1000,), "bool")


def test_what_the_data_decides_is_not_known_without_outputs() -> None:
    assert "data" in why_not("nonzero", MASK)
    assert "mask" in why_not("masked_select", BIG, MASK)
    assert "mask" in why_not("index", BIG, (MASK,))
    assert moves("nonzero", MASK, outputs=(i64(7, 1),)) == (0, 1000, 56)


def test_gathering_reads_what_it_takes() -> None:
    assert moves("gather", BIG, 0, i64(4, 8)) == (0, 8 * 32 + 4 * 32, 4 * 32)
    assert moves("index_select", BIG, 0, i64(3)) == (0, 24 + 96, 96)
    assert known("index_select", f32(2, 8), 0, i64(100)).read == 800 + 64


def test_indices_stand_where_they_are_if_side_by_side_else_in_front() -> None:
    x = f32(5, 6, 7)
    assert known("index", x, (None, i64(3), i64(2, 1))).written == 4 * 5 * 6
    assert known("index", x, (i64(3), None, i64(2, 1))).written == 4 * 6 * 6


def test_in_place_writes_places_and_otherwise_the_whole_is_copied() -> None:
    source = f32(3, 8)
    inside = moves("index_copy_", BIG, 0, i64(3), source)
    assert inside == (0, 24 + 96, 96)
    assert moves("index_copy", BIG, 0, i64(3), source) == (0, 120 + 32_000, 96 + 32_000)


def test_adding_reads_what_is_there() -> None:
    assert moves("index_add_", BIG, 0, i64(3), f32(3, 8)) == (24, 24 + 96 + 96, 96)
    assert moves("scatter_add_", BIG, 0, i64(4, 8), f32(4, 8)) == (32, 8 * 32 + 2 * 128, 128)
    assert known("index_put_", BIG, (i64(3),), f32(3, 8), True).flops == 24


def test_a_mask_with_one_value_is_a_masked_fill() -> None:
    assert moves("index_put_", BIG, (MASK,), f32()) == (0, 32_000 + 1000 + 4, 32_000)


def test_scattering_a_number_reads_no_source() -> None:
    assert moves("scatter_", BIG, 0, i64(1, 8), 1.0) == (0, 64, 32)
