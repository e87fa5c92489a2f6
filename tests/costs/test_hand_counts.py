"""Bytes of six kernels counted by hand from what the kernel must touch, at sizes that people use."""

from __future__ import annotations

import pytest

from perfkit.costs import Operand
from tests.costs.calls import bf16, f32, i64, known

MB = 1_000_000
N = 4096


def gemm() -> tuple[int, float]:
    """Three matrices of 4096 x 4096 in half precision: 33.6 MB each."""
    return known("mm", bf16(N, N), bf16(N, N)).nbytes, 3 * 33.554 * MB


def layer_norm() -> tuple[int, float]:
    """16 384 rows of 1024, read and written in half precision; 33.6 MB each way."""
    rows, weight = bf16(8, 2048, 1024), bf16(1024)
    found = known("native_layer_norm", rows, (1024,), weight, weight, 1e-5)
    return found.nbytes, 2 * 33.554 * MB


def fused_adamw() -> tuple[int, float]:
    """25 million parameters: four tensors read, three written, 4 bytes each."""
    one = (f32(25 * MB),)
    found = known("_fused_adamw_", one, one, one, one, (), (f32(),), 1e-3, 0.9, 0.99, 0.1)
    return found.nbytes, 7 * 4 * 25 * MB


def lookup() -> tuple[int, float]:
    """65 536 rows of 256 bytes out of a table of 2.56 GB, their numbers, and the rows again."""
    return known("embedding", f32(10 * MB, 64), i64(65_536)).nbytes, 65_536 * (256 + 8 + 256)


def flash_attention() -> tuple[int, float]:
    """Query, key, value and output, 16.8 MB each; a score matrix would be 2 GB."""
    q = bf16(2, 16, 4096, 64)
    found = known("_scaled_dot_product_flash_attention", q, q, q, 0.0, True)
    return found.nbytes, 4 * 16.777 * MB


def convolution() -> tuple[int, float]:
    """ResNet's 3x3 over 64 channels of 56 x 56, batch 32: 25.7 MB in, as many out, a small weight."""
    hyper = ((1, 1), (1, 1), (1, 1), False, (0, 0), 1)
    found = known("convolution", f32(32, 64, 56, 56), f32(64, 64, 3, 3), None, *hyper)
    return found.nbytes, 2 * 25.690 * MB + 0.147 * MB


def residual_in_place() -> tuple[int, float]:
    """x += y over 8 million numbers, y in half precision: 4 + 2 read, 4 written."""
    return known("add_", f32(8 * MB), bf16(8 * MB), 1).nbytes, 10 * 8 * MB


def cross_entropy_gradient() -> tuple[int, float]:
    """4096 rows of 32 000 scores: the gradient is written in full, 524 MB."""
    given = (f32(), f32(4096, 32_000), i64(4096), None, 1, -100, f32())
    return known("nll_loss_backward", *given).nbytes, 524.288 * MB


KERNELS = (
    gemm,
    layer_norm,
    fused_adamw,
    lookup,
    flash_attention,
    convolution,
    residual_in_place,
    cross_entropy_gradient,
)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.__name__)
def test_bytes_are_within_a_tenth_of_a_hand_count(kernel: object) -> None:
    counted, by_hand = kernel()  # type: ignore[operator]
    assert counted == pytest.approx(by_hand, rel=0.1)


def test_a_stretched_operand_is_stored_once() -> None:
    stretched = Operand((N, N), "bfloat16", (0, 1))
    assert stretched.nbytes == 2 * N
