"""Softmax and its logarithm. Per element: maximum, difference, exp, sum, division, so 5; backward 4.

One pass over memory each way: rows too long for the chip are read two or three times.
"""

from __future__ import annotations

from perfkit.costs._call import Call, Cost, CostFunction, Operand, nbytes
from perfkit.costs._shapes import dtype_named, operations, output


def _forward(call: Call) -> Cost:
    """Third: whether a half-precision input gives float32."""
    self = call.operand(0)
    dtype = "float32" if call.plain(2) is True else self.dtype
    out = output(call, self.shape, dtype)
    return Cost(
        operations(5 * self.elements, self.dtype), self.nbytes, out.nbytes, dtype=self.dtype
    )


def _masked(call: Call) -> Cost:
    self, mask = call.operand(0), call.operand(1)
    out = output(call, self.shape, self.dtype)
    flops = operations(5 * self.elements, self.dtype)
    return Cost(flops, nbytes(self, mask), out.nbytes, dtype=self.dtype)


def _backward(call: Call) -> Cost:
    """Gradient, output, dimension, dtype of the input."""
    grad, out = call.operand(0), call.operand(1)
    made = output(call, out.shape, dtype_named(call.plain(3)) or grad.dtype)
    flops = operations(4 * out.elements, out.dtype)
    return Cost(flops, nbytes(grad, out), made.nbytes, dtype=out.dtype)


def _masked_backward(call: Call) -> Cost:
    grad, out, mask = call.operand(0), call.operand(1), call.operand(2)
    made = Operand(out.shape, grad.dtype)
    flops = operations(4 * out.elements, out.dtype)
    return Cost(flops, nbytes(grad, out, mask), made.nbytes, dtype=out.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::_softmax": _forward,
    "aten::_log_softmax": _forward,
    "aten::_safe_softmax": _forward,
    "aten::softmax": _forward,
    "aten::log_softmax": _forward,
    "aten::_masked_softmax": _masked,
    "aten::_softmax_backward_data": _backward,
    "aten::_log_softmax_backward_data": _backward,
    "aten::_masked_softmax_backward": _masked_backward,
}
