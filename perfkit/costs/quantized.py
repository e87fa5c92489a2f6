"""Quantisation: to and from whole numbers, fake quantisation, products with packed weights.

Quantising takes 4 operations per element (scale, round, shift, clamp), going back 2, both at once 6.
Packed weights are objects without shapes: a linear layer is known where its output is recorded, a
convolution is not, for its kernel stands nowhere. Whole-number products count as `int8` operations.
"""

from __future__ import annotations

from math import prod

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import names, operations, output, recorded, written

_TARGETS = {12: "qint8", 13: "quint8", 14: "qint32"}


def _quantize(dtype: int) -> CostFunction:
    def function(call: Call) -> Cost:
        self = call.operand(0)
        out = output(call, self.shape, _TARGETS.get(call.plain(dtype, 12), "qint8"))
        scales = nbytes(*call.operands[1:])
        flops = operations(4 * self.elements, self.dtype)
        return Cost(flops, self.nbytes + scales, out.nbytes, dtype=self.dtype)

    return function


def _dequantize(call: Call) -> Cost:
    self = call.operand(0)
    out = output(call, self.shape, "float32")
    return Cost(2 * self.elements, self.nbytes, out.nbytes, dtype="float32")


def _integers(call: Call) -> Cost:
    """The stored numbers as a tensor of their own."""
    self = call.operand(0)
    return Cost(0, self.nbytes, self.nbytes, dtype=self.dtype)


def _fake(mask: bool) -> CostFunction:
    """`mask`: where values were clamped is kept, one byte each."""

    def function(call: Call) -> Cost:
        self = call.operand(0)
        kept = Operand(self.shape, "bool") if mask else None
        made = written(call, Operand(self.shape, self.dtype), kept)
        read = nbytes(*call.operands)
        return Cost(operations(6 * self.elements, self.dtype), read, made, dtype=self.dtype)

    return function


def _fake_backward(call: Call) -> Cost:
    """Gradients by input, scale and zero point; the latter two are sums."""
    grad, self = call.operand(0), call.operand(1)
    made = written(call, Operand(self.shape, self.dtype), call.optional(2), call.optional(3))
    flops = operations(10 * self.elements, self.dtype)
    return Cost(flops, nbytes(*call.operands), made, dtype=grad.dtype)


def _observed(call: Call) -> Cost:
    """Moving extremes 2, then faked 6."""
    self = call.operand(0)
    made = written(call, Operand(self.shape, self.dtype), Operand(self.shape, "bool"))
    flops = operations(8 * self.elements, self.dtype)
    return Cost(flops, nbytes(*call.operands), made, dtype=self.dtype)


def _extremes(call: Call) -> Cost:
    self = call.operand(0)
    return Cost(operations(2 * self.elements, self.dtype), self.nbytes, 12, dtype=self.dtype)


def _linear(call: Call) -> Cost:
    x = call.operand(0)
    out = recorded(call, "the packed weight has no shape")[0]
    inner, columns = x.shape[-1], out.shape[-1]
    flops = 2 * prod(x.shape[:-1]) * inner * columns
    half = "fp16" in call.name
    weight = inner * columns * (2 if half else 1)
    dtype = "float16" if half else "int8"
    return Cost(flops, x.nbytes + weight, out.nbytes, "matmul", dtype)


def _convolution(call: Call) -> Cost:
    raise Unknown(f"{call.name}: the kernel is inside a packed weight")


def _pair(call: Call) -> Cost:
    """Both sides brought to float, combined, and quantised again: 2 + 2 + 1 + 4."""
    a, b = call.operand(0), call.optional(1)
    out = output(call, a.shape, a.dtype)
    return Cost(9 * out.elements, nbytes(a, b), out.nbytes, dtype="float32")


_LINEAR = names(
    "linear linear_relu linear_dynamic linear_relu_dynamic linear_dynamic_fp16 "
    "linear_relu_dynamic_fp16 linear_leaky_relu linear_tanh"
)
_CONVOLUTIONS = names(
    "conv1d conv2d conv3d conv1d_relu conv2d_relu conv3d_relu conv2d_add conv2d_add_relu "
    "conv_transpose1d conv_transpose2d conv_transpose3d conv2d_dynamic conv1d_dynamic"
)

COSTS: dict[str, CostFunction] = {
    **{f"quantized::{name}": _linear for name in _LINEAR},
    **{f"quantized::{name}": _convolution for name in _CONVOLUTIONS},
    **{f"quantized::{name}": _pair for name in ("add", "add_relu", "mul", "mul_relu")},
    "aten::quantize_per_tensor": _quantize(3),
    "aten::quantize_per_tensor_dynamic": _quantize(1),
    "aten::quantize_per_channel": _quantize(4),
    "aten::dequantize": _dequantize,
    "aten::int_repr": _integers,
    "aten::_make_per_tensor_quantized_tensor": _integers,
    "aten::_make_per_channel_quantized_tensor": _integers,
    "aten::fake_quantize_per_tensor_affine": _fake(False),
    "aten::fake_quantize_per_channel_affine": _fake(False),
    "aten::fake_quantize_per_tensor_affine_cachemask": _fake(True),
    "aten::fake_quantize_per_channel_affine_cachemask": _fake(True),
    "aten::_fake_quantize_per_tensor_affine_cachemask_tensor_qparams": _fake(True),
    "aten::_fake_quantize_learnable_per_tensor_affine": _fake(False),
    "aten::_fake_quantize_learnable_per_channel_affine": _fake(False),
    "aten::_fake_quantize_learnable_per_tensor_affine_backward": _fake_backward,
    "aten::_fake_quantize_learnable_per_channel_affine_backward": _fake_backward,
    "aten::_fused_moving_avg_obs_fq_helper": _observed,
    "aten::_choose_qparams_per_tensor": _extremes,
}
