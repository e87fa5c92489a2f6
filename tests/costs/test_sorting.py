from __future__ import annotations

from tests.costs.calls import f32, i64, known, moves, why_not


def test_what_differs_is_for_the_data_to_say() -> None:
    assert "differ" in why_not("_unique2", i64(50), True, False, False)


def test_whole_numbers_are_sorted_without_floating_point_operations() -> None:
    assert moves("sort", i64(1024), -1, False) == (0, 8192, 16_384)


def test_sorting_compares_log_n_times_and_writes_positions() -> None:
    assert moves("sort", f32(4, 1024), -1, False) == (4096 * 10, 16_384, 16_384 + 32_768)
    assert known("sort", f32(4, 1024), None, 0, False).flops == 4096 * 2


def test_a_selection_compares_each_element_once() -> None:
    assert moves("topk", f32(4, 100), 5, -1, True, True) == (400, 1600, 4 * 5 * 12)
    assert moves("median", f32(4, 100), 1, False) == (400, 1600, 4 * 12)


def test_a_search_looks_at_no_more_borders_than_it_bisects() -> None:
    small = known("searchsorted", f32(7), f32(1000))
    assert (small.flops, small.read, small.written) == (3000, 28 + 4000, 8000)
    large = known("searchsorted", f32(1_000_000), f32(3))
    assert large.read == 3 * 20 * 4 + 12
    assert known("bucketize", f32(1000), f32(7)) == small
