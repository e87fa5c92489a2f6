from __future__ import annotations

from tests.costs.calls import f32, i64, known, moves

SCORES, TARGET = f32(32, 1000), i64(32)


def test_likelihood_reads_one_score_per_target_not_all() -> None:
    assert moves("nll_loss_forward", SCORES, TARGET, None, 1, -100) == (64, 32 * 8 + 32 * 4, 8)
    assert known("nll_loss_forward", SCORES, TARGET, None, 0, -100).written == 132


def test_its_gradient_is_written_in_full() -> None:
    given = (f32(), SCORES, TARGET, None, 1, -100, f32())
    assert moves("nll_loss_backward", *given) == (32, 256 + 8, 128_000)


def test_elementwise_losses_read_both_sides() -> None:
    assert moves("mse_loss", f32(100), f32(100), 1) == (300, 800, 4)
    assert moves("mse_loss", f32(100), f32(100), 0) == (200, 800, 400)
    assert moves("mse_loss_backward", f32(), f32(100), f32(100), 1) == (300, 804, 400)
