from __future__ import annotations

from tests.costs.calls import f32, i64, known, moves, why_not

IMAGE = f32(2, 4, 9, 8)


def test_shapes_that_cannot_be_pooled_are_not_known() -> None:
    assert why_not("avg_pool2d", f32(9), (2, 2), (), (0, 0), False)


def test_each_output_looks_at_its_window() -> None:
    given = (IMAGE, (3, 3), (2, 2), (1, 1))
    assert moves("avg_pool2d", *given, False) == (160 * 9, 2304, 640)
    assert moves("max_pool2d_with_indices", *given, (1, 1), False) == (160 * 9, 2304, 160 * 12)


def test_without_a_stride_windows_stand_side_by_side_and_ceiling_adds_one() -> None:
    assert known("avg_pool2d", IMAGE, (2, 2), (), (0, 0), False).written == 4 * 8 * 4 * 4
    assert known("avg_pool2d", IMAGE, (2, 2), (), (0, 0), True).written == 4 * 8 * 5 * 4


def test_gradients_go_to_the_kept_positions() -> None:
    given = (f32(2, 4, 5, 4), IMAGE, (3, 3), (2, 2), (1, 1), (1, 1), False, i64(2, 4, 5, 4))
    assert moves("max_pool2d_with_indices_backward", *given) == (160, 160 * 12, 2304)


def test_adaptive_pooling_covers_the_input_once() -> None:
    assert moves("_adaptive_avg_pool2d", IMAGE, (1, 1)) == (576, 2304, 32)
