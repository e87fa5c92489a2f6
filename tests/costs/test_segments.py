from __future__ import annotations

from tests.costs.calls import f32, i64, known, moves, why_not


def test_lengths_that_only_the_data_knows_are_not_guessed() -> None:
    assert "repeats" in why_not("repeat_interleave", i64(5), None)
    assert "bins" in why_not("bincount", i64(50), None, 0)
    assert "offsets" in why_not("segment_reduce", f32(10, 4), "sum", None, None, None, 0)


def test_a_segment_s_rows_become_one() -> None:
    found = moves("segment_reduce", f32(10, 4), "sum", i64(3), None, None, 0)
    assert found == (40, 160 + 24, 48)
    assert known("segment_reduce", f32(10, 4), "sum", None, None, i64(4), 0).written == 48


def test_repeats_of_a_said_length() -> None:
    assert moves("repeat_interleave", i64(5), 12) == (0, 40, 96)


def test_bins_that_were_recorded() -> None:
    assert moves("bincount", i64(50), None, 0, outputs=(i64(9),)) == (0, 400, 72)
