from __future__ import annotations

from tests.costs.calls import f32, known, moves, why_not

IMAGE = f32(2, 4, 8, 8)


def test_a_size_that_is_not_recorded_is_not_guessed() -> None:
    assert "size" in why_not("upsample_nearest2d", IMAGE, None, None, None)


def test_nearest_copies_and_linear_weighs_four_neighbours() -> None:
    assert moves("upsample_nearest2d", IMAGE, (16, 16), None, None) == (0, 2048, 8192)
    assert moves("upsample_bilinear2d", IMAGE, (16, 16), False) == (8 * 2048, 2048, 8192)


def test_factors_stand_for_a_size() -> None:
    assert known("upsample_nearest2d", IMAGE, None, (2.0, 2.0)).written == 8192


def test_shrinking_reads_no_more_than_its_neighbours() -> None:
    assert known("upsample_nearest2d", IMAGE, (2, 2), None, None).read == 4 * 32


def test_unfolding_writes_every_window() -> None:
    given = (IMAGE, (3, 3), (1, 1), (1, 1), (1, 1))
    assert moves("im2col", *given) == (0, 2048, 9 * 2048)
    assert known("col2im", f32(2, 36, 64), (8, 8), (3, 3), (1, 1), (1, 1), (1, 1)).written == 2048


def test_grid_samples_weigh_their_neighbours() -> None:
    found = known("grid_sampler_2d", IMAGE, f32(2, 5, 5, 2), 0, 0, False)
    assert (found.read, found.written) == (2048 + 400, 800)
