from __future__ import annotations

import pytest

from perfkit.costs import Call, Cost
from perfkit.costs._index import cost
from tests.costs.calls import bf16, f32, i64, known, why_not

Q, K, V = bf16(2, 8, 128, 64), bf16(2, 2, 96, 64), bf16(2, 2, 96, 64)
PRODUCT = 2 * 2 * 8 * 128 * 96 * 64


def test_shapes_that_are_no_attention_are_not_known() -> None:
    assert why_not("_scaled_dot_product_flash_attention", Q, K, bf16(2, 2, 95, 64))
    assert why_not("_scaled_dot_product_flash_attention", Q, bf16(2, 3, 96, 64), V)


def test_unequal_sequences_of_unknown_length_are_not_known_but_bounded() -> None:
    ends = i64(4)
    q = bf16(100, 8, 64)
    why = why_not("_flash_attention_forward", q, q, q, ends, ends, 50, 50)
    assert "3 sequences" in why and "at most 5000" in why and "3333" in why


def test_scores_stay_on_the_chip_and_key_heads_count_once_per_query_head() -> None:
    found = known("_scaled_dot_product_flash_attention", Q, K, V, 0.0, True)
    assert found.flops == 2 * PRODUCT and found.unit == "matmul"
    assert found.read == 2 * (Q.elements + K.elements + V.elements)
    assert found.written == 2 * Q.elements + 4 * 2 * 8 * 128


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("_scaled_dot_product_flash_attention_backward", (Q, f32(2, 8, 128))),
        ("_scaled_dot_product_cudnn_attention_backward", (Q, f32(2, 8, 128))),
        ("_scaled_dot_product_efficient_attention_backward", (None, Q, f32(2, 8, 128))),
        (
            "_scaled_dot_product_fused_attention_overrideable_backward",
            (None, (True,) * 4, Q, f32(2, 8, 128)),
        ),
    ],
)
def test_the_backward_pass_makes_the_scores_again(name: str, more: tuple[object, ...]) -> None:
    found = known(name, Q, Q, K, V, *more)
    assert found.flops == 5 * PRODUCT
    assert found.written == 2 * (Q.elements + K.elements + V.elements)


def test_a_bias_is_read() -> None:
    plain = known("_scaled_dot_product_efficient_attention", Q, K, V, None, True)
    biased = known("_scaled_dot_product_efficient_attention", Q, K, V, f32(1, 1, 128, 96), True)
    assert biased.read - plain.read == 4 * 128 * 96


def test_kernels_take_the_length_before_the_heads() -> None:
    q, k = bf16(2, 128, 8, 64), bf16(2, 96, 2, 64)
    assert known("_flash_attention_forward", q, k, k, None, None, 128, 96).flops == 2 * PRODUCT
    assert known("_efficient_attention_forward", q, k, k, None, None, None).flops == 2 * PRODUCT


def test_sequences_end_to_end_count_where_their_ends_are_numbers_or_all_are_full() -> None:
    q = bf16(6, 8, 64)
    forward = known("_flash_attention_forward", q, q, q, (0, 1, 6), (0, 1, 6), 5, 5)
    assert forward.flops == 2 * 2 * 8 * (1 + 25) * 64
    full = known("_flash_attention_forward", q, q, q, i64(3), i64(3), 3, 3)
    assert full.flops == 2 * 2 * 8 * (9 + 9) * 64
    lse = f32(8, 6)
    back = known("_flash_attention_backward", q, q, q, q, q, lse, (0, 1, 6), (0, 1, 6), 5, 5)
    assert back.flops == forward.flops // 2 * 5


def test_a_whole_encoder_layer_has_four_projections_and_two_linear_layers() -> None:
    x, w, b = f32(2, 10, 16), f32(16, 16), f32(16)
    given = (x, 16, 4, f32(48, 16), f32(48), w, b, True, False, 1e-5, b, b, b, b)
    found = known("_transformer_encoder_layer_fwd", *given, f32(32, 16), f32(32), f32(16, 32), b)
    assert found.flops == 2 * 20 * (4 * 256 + 2 * 512) + 4 * 2 * 100 * 16


def test_flex_attention_counts_as_if_no_block_were_masked() -> None:
    found = cost(Call("higher_order::flex_attention", (Q, K, V)))
    assert isinstance(found, Cost) and found.flops == 2 * PRODUCT
