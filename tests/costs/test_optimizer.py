from __future__ import annotations

from tests.costs.calls import f32, known, moves, why_not

P = (f32(100), f32(10, 10))
STEPS = (f32(), f32())


def test_parameters_without_shapes_are_not_known() -> None:
    assert "parameter" in why_not("_fused_adam_", (None,), P, P, P, (), STEPS)


def test_adam_reads_four_and_writes_three_of_the_parameters_size() -> None:
    given = (P, P, P, P, (), STEPS, 1e-3, 0.9, 0.999)
    assert moves("_fused_adam_", *given, 0.0, 1e-8, False) == (13 * 200, 4 * 800 + 8, 3 * 800)
    assert known("_fused_adamw_", *given, 0.1, 1e-8, False).flops == 15 * 200


def test_a_gradient_scale_writes_the_gradients_back() -> None:
    given = (P, P, P, P, (), STEPS, 1e-3, 0.9, 0.999, 0.0, 1e-8, False, False, f32(), f32())
    assert known("_fused_adam_", *given).written == 4 * 800


def test_sgd_without_momentum_has_no_state() -> None:
    plain = (P, P, (), 0.0, 0.0, 0.1, 0.0, False, False, True, None, None)
    assert moves("_fused_sgd_", *plain) == (400, 1600, 800)
    heavy = (P, P, P, 0.0, 0.9, 0.1, 0.0, False, False, False, None, None)
    assert moves("_fused_sgd_", *heavy) == (1000, 2400, 1600)
