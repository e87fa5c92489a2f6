from __future__ import annotations

from typing import Any

from tests.costs.calls import bf16, f32, known, moves, why_not

ALL = (True, True, True)


def convolution(x: Any, weight: Any, *hyper: Any, transposed: bool = False, groups: int = 1) -> Any:
    stride, padding, dilation = hyper or ((1,), (0,), (1,))
    return (x, weight, None, stride, padding, dilation, transposed, (0,), groups)


def test_which_gradients_are_asked_for_is_not_guessed() -> None:
    inputs = (f32(2, 8, 6), f32(2, 4, 8), f32(8, 4, 3), (8,), (1,), (0,), (1,), False, (0,), 1)
    assert "gradients" in why_not("convolution_backward", *inputs)


def test_shapes_that_are_no_convolution_are_not_known() -> None:
    assert why_not("convolution", *convolution(f32(2, 4), f32(8, 4, 3)))


def test_each_output_place_meets_the_kernel_and_the_channels() -> None:
    args = convolution(bf16(2, 4, 9, 9), bf16(8, 4, 3, 3), (2, 2), (1, 1), (1, 1))
    flops = 2 * 2 * 25 * 9 * 4 * 8
    assert moves("convolution", *args) == (flops, 2 * (648 + 288), 2 * 2 * 8 * 25)


def test_dilation_spreads_the_kernel_and_changes_no_term() -> None:
    args = convolution(f32(1, 1, 9), f32(1, 1, 3), (1,), (0,), (2,))
    assert known("convolution", *args).flops == 2 * 5 * 3


def test_groups_share_the_channels() -> None:
    whole = known("convolution", *convolution(f32(2, 4, 9), f32(8, 4, 3))).flops
    split = known("convolution", *convolution(f32(2, 4, 9), f32(8, 1, 3), groups=4)).flops
    assert split * 4 == whole


def test_transposed_counts_input_places() -> None:
    args = convolution(f32(2, 4, 5), f32(4, 3, 2), (2,), (0,), (1,), transposed=True, groups=2)
    assert moves("convolution", *args) == (2 * 2 * 5 * 2 * 12, 4 * (40 + 24), 4 * 2 * 6 * 10)


def test_the_backward_pass_is_one_product_per_gradient() -> None:
    inputs = (f32(2, 8, 7), f32(2, 4, 9), f32(8, 4, 3), (8,), (1,), (0,), (1,), False, (0,), 1)
    once = 2 * 2 * 7 * 3 * 32
    assert known("convolution_backward", *inputs, ALL).flops == 2 * once
    only = known("convolution_backward", *inputs, (False, True, False))
    assert (only.flops, only.read, only.written) == (once, 4 * (112 + 72), 4 * 96)


def test_libraries_order_their_arguments_differently_and_cost_the_same() -> None:
    x, weight, stride, padding, dilation = f32(2, 4, 9, 9), f32(8, 4, 3, 3), (2, 2), (1, 1), (1, 1)
    plain = known("convolution", *convolution(x, weight, stride, padding, dilation))
    assert known("cudnn_convolution", x, weight, padding, stride, dilation, 1) == plain
    assert known("miopen_convolution", x, weight, None, padding, stride, dilation, 1) == plain
    assert known("cudnn_convolution_relu", x, weight, None, stride, padding, dilation, 1) == plain
    assert known("_slow_conv2d_forward", x, weight, (3, 3), None, stride, padding) == plain
