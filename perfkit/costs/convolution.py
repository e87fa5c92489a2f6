"""Convolutions: 2·(batch)·(positions)·(kernel)·(weight channels) FLOPs, as torch's counter counts.

Positions are those of the output, of the input where transposed; padding counts as if it were data.
A weight holds one group's input channels, so groups and depthwise need nothing more. The backward pass
is the forward's product once per gradient that is asked for. torch.utils.flop_counter counts the
weight's gradient of a grouped convolution as if there were one group, `groups` times too much; ours
does not. FFT and Winograd kernels do less; the bytes are of operands once, without unfolded copies.
"""

from __future__ import annotations

from math import prod

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import output, pair


def _batched(x: Operand, weight: Operand) -> tuple[int, ...]:
    if len(weight.shape) < 3 or len(x.shape) not in (len(weight.shape), len(weight.shape) - 1):
        raise Unknown(f"a convolution of {x.shape} with {weight.shape}")
    return x.shape if len(x.shape) == len(weight.shape) else (1, *x.shape)


def _out_shape(
    x: tuple[int, ...],
    weight: tuple[int, ...],
    hyper: tuple[object, object, object],
    transposed: bool = False,
    more: tuple[object, int] = (0, 1),
) -> tuple[int, ...]:
    """`hyper`: stride, padding, dilation; `more`: output padding and groups, of transposed ones."""
    rank = len(weight) - 2
    stride, padding, dilation = (pair(value, rank) for value in hyper)
    spread = [d * (k - 1) + 1 for k, d in zip(weight[2:], dilation, strict=True)]
    sides = list(zip(x[2:], stride, padding, spread, strict=True))
    if transposed:
        extra, groups = pair(more[0], rank), more[1]
        sizes = [(n - 1) * s - 2 * p + k + e for (n, s, p, k), e in zip(sides, extra, strict=True)]
        return (x[0], weight[1] * groups, *sizes)
    return (x[0], weight[0], *((n + 2 * p - k) // s + 1 for n, s, p, k in sides))


def _flops(x: tuple[int, ...], weight: tuple[int, ...], out: tuple[int, ...], turned: bool) -> int:
    return 2 * x[0] * prod((x if turned else out)[2:]) * prod(weight)


def _forward(
    call: Call,
    hyper: tuple[object, object, object],
    transposed: bool = False,
    more: tuple[object, int] = (0, 1),
    extra: tuple[Operand | None, ...] = (),
) -> Cost:
    x, weight = call.operand(0), call.operand(1)
    shape = _batched(x, weight)
    if shape[1] % weight.shape[0 if transposed else 1]:
        raise Unknown(f"a convolution of {x.shape} with {weight.shape}")
    if call.outputs:
        out = call.outputs[0]
        made = out.shape if len(out.shape) == len(weight.shape) else (1, *out.shape)
    else:
        made = _out_shape(shape, weight.shape, hyper, transposed, more)
    flops = _flops(shape, weight.shape, made, transposed)
    result = output(call, made, x.dtype)
    return Cost(flops, nbytes(x, weight, *extra), result.nbytes, "matmul", x.dtype)


def _convolution(call: Call) -> Cost:
    hyper = (call.plain(3, 1), call.plain(4, 0), call.plain(5, 1))
    more = (call.plain(7, 0), call.plain(8, 1))
    return _forward(call, hyper, bool(call.plain(6, False)), more, (call.optional(2),))


def _library(call: Call) -> Cost:
    """cuDNN's: input, weight, padding, stride, dilation."""
    return _forward(call, (call.plain(3, 1), call.plain(2, 0), call.plain(4, 1)))


def _library_transposed(call: Call) -> Cost:
    hyper = (call.plain(4, 1), call.plain(2, 0), call.plain(5, 1))
    return _forward(call, hyper, True, (call.plain(3, 0), call.plain(6, 1)))


def _with_bias(call: Call) -> Cost:
    """MIOpen's and oneDNN's: input, weight, bias, padding, stride, dilation."""
    hyper = (call.plain(4, 1), call.plain(3, 0), call.plain(5, 1))
    return _forward(call, hyper, extra=(call.optional(2),))


def _with_bias_transposed(call: Call) -> Cost:
    hyper = (call.plain(5, 1), call.plain(3, 0), call.plain(6, 1))
    more = (call.plain(4, 0), call.plain(7, 1))
    return _forward(call, hyper, True, more, (call.optional(2),))


def _with_relu(call: Call) -> Cost:
    """Input, weight, bias, stride, padding, dilation."""
    hyper = (call.plain(3, 1), call.plain(4, 0), call.plain(5, 1))
    return _forward(call, hyper, extra=(call.optional(2),))


def _with_add_and_relu(call: Call) -> Cost:
    hyper = (call.plain(5, 1), call.plain(6, 0), call.plain(7, 1))
    return _forward(call, hyper, extra=(call.optional(2), call.optional(4)))


def _native(call: Call) -> Cost:
    """torch's own kernels: input, weight, kernel size, bias, stride, padding, dilation."""
    hyper = (call.plain(4, 1), call.plain(5, 0), call.plain(6, 1))
    return _forward(call, hyper, extra=(call.optional(3),))


def _native_transposed(call: Call) -> Cost:
    hyper = (call.plain(4, 1), call.plain(5, 0), call.plain(7, 1))
    return _forward(call, hyper, True, (call.plain(6, 0), 1), (call.optional(3),))


def _gradients(call: Call, mask: tuple[object, ...], transposed: bool) -> Cost:
    grad, x, weight = call.operand(0), call.operand(1), call.operand(2)
    once = _flops(_batched(x, weight), weight.shape, _batched(grad, weight), transposed)
    bias = Operand((_batched(grad, weight)[1],), weight.dtype)
    wanted = [o for o, asked in zip((x, weight, bias), mask, strict=False) if asked]
    products = sum(map(bool, mask[:2]))
    needed = [grad, *([weight] if mask[0] else []), *([x] if mask[1] else [])]
    dense = [Operand(o.shape, o.dtype) for o in wanted]
    return Cost(once * products, nbytes(*needed), nbytes(*dense), "matmul", x.dtype)


def _backward(call: Call) -> Cost:
    mask = call.plain(10)
    if not isinstance(mask, tuple) or len(mask) < 3:
        raise Unknown(f"{call.name}: which gradients were asked for is not recorded")
    return _gradients(call, mask, bool(call.plain(7, False)))


def _backward_overrideable(call: Call) -> Cost:
    mask = call.plain(9)
    if not isinstance(mask, tuple) or len(mask) < 3:
        raise Unknown(f"{call.name}: which gradients were asked for is not recorded")
    return _gradients(call, mask, bool(call.plain(6, False)))


def _slow_backward(call: Call) -> Cost:
    """Gradient, input, weight, kernel size, stride, padding, mask."""
    mask = call.plain(6)
    if not isinstance(mask, tuple):
        raise Unknown(f"{call.name}: which gradients were asked for is not recorded")
    return _gradients(call, mask, False)


COSTS: dict[str, CostFunction] = {
    "aten::convolution": _convolution,
    "aten::_convolution": _convolution,
    "aten::convolution_overrideable": _convolution,
    "aten::cudnn_convolution": _library,
    "aten::cudnn_convolution_transpose": _library_transposed,
    "aten::cudnn_convolution_relu": _with_relu,
    "aten::cudnn_convolution_add_relu": _with_add_and_relu,
    "aten::miopen_convolution": _with_bias,
    "aten::miopen_depthwise_convolution": _with_bias,
    "aten::miopen_convolution_transpose": _with_bias_transposed,
    "aten::miopen_convolution_relu": _with_relu,
    "aten::miopen_convolution_add_relu": _with_add_and_relu,
    "aten::mkldnn_convolution": _with_bias,
    "mkldnn::_convolution_pointwise": _with_bias,
    "aten::_slow_conv2d_forward": _native,
    "aten::thnn_conv2d": _native,
    "aten::slow_conv3d": _native,
    "aten::slow_conv3d_forward": _native,
    "aten::slow_conv_dilated2d": _native,
    "aten::slow_conv_dilated3d": _native,
    "aten::_conv_depthwise2d": _native,
    "aten::conv_depthwise3d": _native,
    "aten::slow_conv_transpose2d": _native_transposed,
    "aten::slow_conv_transpose3d": _native_transposed,
    "aten::convolution_backward": _backward,
    "aten::convolution_backward_overrideable": _backward_overrideable,
    "aten::_slow_conv2d_backward": _slow_backward,
}
