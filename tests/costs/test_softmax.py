from __future__ import annotations

from perfkit.costs import Operand
from tests.costs.calls import bf16, f32, known, moves


def test_softmax_is_one_pass_over_memory() -> None:
    assert moves("_softmax", bf16(8, 100), 1, False) == (4000, 1600, 1600)


def test_half_precision_may_come_out_in_single() -> None:
    assert known("_log_softmax", bf16(8, 100), 1, True).written == 3200


def test_the_gradient_reads_output_and_gradient_and_has_the_input_s_dtype() -> None:
    assert moves("_softmax_backward_data", f32(8, 100), f32(8, 100), 1, 6) == (3200, 6400, 3200)
    assert known("_softmax_backward_data", f32(8, 100), f32(8, 100), 1, 5).written == 1600


def test_a_mask_is_read_too() -> None:
    mask = Operand((8, 100), "bool")
    assert known("_masked_softmax", f32(8, 100), mask, 1).read == 3200 + 800
