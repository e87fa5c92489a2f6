from __future__ import annotations

from perfkit.costs import Operand
from tests.costs.calls import bf16, f32, known, moves, why_not

X = bf16(32, 128, 256)
W = bf16(256)
STATS = Operand((32, 128, 1), "float32")


def test_dimensions_that_are_not_recorded_are_not_guessed() -> None:
    assert "normalised" in why_not("native_layer_norm", X, None, W, W, 1e-5)


def test_layer_norm_moves_its_input_and_output_and_little_else() -> None:
    found = known("native_layer_norm", X, (256,), W, W, 1e-5)
    assert (found.read, found.written) == (2 * X.elements + 1024, 2 * X.elements + 2 * 4 * 4096)
    assert found.flops == 8 * X.elements
    assert known("native_layer_norm", X, (256,), None, None, 1e-5).flops == 6 * X.elements


def test_its_gradient_reads_input_and_gradient() -> None:
    given = (X, X, (256,), STATS, STATS, W, W)
    every = known("native_layer_norm_backward", *given, (True, True, True))
    assert every.read == 4 * X.elements + 2 * 4 * 4096 + 512
    assert every.written == 2 * X.elements + 2 * 512
    assert known("native_layer_norm_backward", *given, (True, False, False)).written < every.written


def test_rms_norm_has_one_statistic_per_row() -> None:
    found = known("_fused_rms_norm", X, (256,), W, 1e-5)
    assert found.written == 2 * X.elements + 4 * 4096 and found.flops == 4 * X.elements


def test_batch_norm_updates_running_statistics_only_in_training() -> None:
    image, small = f32(2, 8, 5, 5), f32(8)
    training = moves("native_batch_norm", image, small, small, small, small, True, 0.1, 1e-5)
    assert training == (8 * 400, 1600 + 4 * 32, 1600 + 4 * 32)
    stored = moves("native_batch_norm", image, small, small, small, small, False, 0.1, 1e-5)
    assert stored == (4 * 400, 1600 + 4 * 32, 1600)


def test_group_norm_keeps_statistics_per_group() -> None:
    found = known("native_group_norm", f32(2, 8, 25), f32(8), f32(8), 2, 8, 25, 4, 1e-5)
    assert found.written == 1600 + 2 * 4 * 8


def test_libraries_take_the_input_before_the_gradient() -> None:
    image, small = f32(2, 8, 5, 5), f32(8)
    native = known(
        "native_batch_norm_backward", image, image, small, small, small, small, small, True
    )
    library = known(
        "cudnn_batch_norm_backward", image, image, small, small, small, small, small, 1.0
    )
    assert (native.flops, native.read) == (library.flops, library.read)
