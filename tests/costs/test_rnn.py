from __future__ import annotations

from tests.costs.calls import f32, known, moves, why_not

X, HX = f32(10, 3, 8), f32(1, 3, 16)
WEIGHTS = (f32(64, 8), f32(64, 16), f32(64), f32(64))


def test_weights_without_shapes_are_not_known() -> None:
    assert "weights" in why_not("_cudnn_rnn", X, (), 4, None, HX, HX, 2, 16)


def test_every_row_of_every_step_meets_every_weight() -> None:
    given = (X, WEIGHTS, 4, None, HX, HX, 2, 16, 0, 1, False, 0.0, True, False, (), None)
    found = known("_cudnn_rnn", *given)
    assert found.flops == 2 * 30 * 64 * (8 + 16) and found.unit == "matmul"
    assert found.written == 4 * (30 * 16 + 2 * 48)


def test_packed_sequences_count_their_rows() -> None:
    given = (f32(21, 8), WEIGHTS, 4, None, HX, HX, 2, 16, 0, 1, False, 0.0, True, False, (9, 7, 5))
    assert known("_cudnn_rnn", *given).flops == 2 * 21 * 64 * 24


def test_the_backward_pass_has_twice_the_products() -> None:
    given = (X, WEIGHTS, 4, f32(1664), HX, HX, f32(10, 3, 16), f32(10, 3, 16))
    assert known("_cudnn_rnn_backward", *given).flops == 2 * 2 * 30 * 64 * 24


def test_one_dnn_s_layer_takes_its_weights_one_by_one() -> None:
    found = known("mkldnn_rnn_layer", X, *WEIGHTS, HX, HX, False)
    assert found.flops == 2 * 30 * 64 * 24


def test_a_fused_cell_counts_its_gates() -> None:
    gates, state = f32(3, 64), f32(3, 16)
    found = moves("_thnn_fused_lstm_cell", gates, gates, state, None, None)
    assert found == (22 * 48, 4 * (2 * 192 + 48), 4 * (2 * 48 + 192))
