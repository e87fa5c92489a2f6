"""Losses. Element by element ones read both sides; negative log-likelihood reads one element per target.

The gradient of the negative log-likelihood is as large as the scores and written in full, zeros too.
"""

from __future__ import annotations

from perfkit.costs._call import Call, Cost, CostFunction, Operand, nbytes
from perfkit.costs._shapes import operations, written


def _pairwise(per_element: int, reduction: int) -> CostFunction:
    """`reduction` is the argument: 0 keeps the elements, otherwise they are summed, 1 more each."""

    def function(call: Call) -> Cost:
        self = call.operand(0)
        kept = call.plain(reduction, 1) == 0
        out = Operand(self.shape if kept else (), self.dtype)
        count = (per_element + (0 if kept else 1)) * self.elements
        read = nbytes(*(call.optional(index) for index in range(reduction)))
        flops = operations(count, self.dtype)
        return Cost(flops, read, written(call, out), dtype=self.dtype)

    return function


def _pairwise_backward(per_element: int, tensors: int = 3) -> CostFunction:
    """Gradient, input, target and perhaps a weight."""

    def function(call: Call) -> Cost:
        self = call.operand(1)
        read = nbytes(*(call.optional(index) for index in range(tensors)))
        made = self.elements * self.itemsize
        flops = operations(per_element * self.elements, self.dtype)
        return Cost(flops, read, made, dtype=self.dtype)

    return function


def _picked(call: Call) -> Cost:
    self, target = call.operand(0), call.operand(1)
    number = target.elements
    out = Operand(target.shape if call.plain(3, 1) == 0 else (), self.dtype)
    made = written(call, out, Operand((), self.dtype))
    read = target.nbytes + number * self.itemsize + nbytes(call.optional(2))
    return Cost(operations(2 * number, self.dtype), read, made, dtype=self.dtype)


def _picked_backward(call: Call) -> Cost:
    grad, self, target = call.operand(0), call.operand(1), call.operand(2)
    read = nbytes(grad, target, call.optional(3), call.optional(6))
    made = self.elements * self.itemsize
    return Cost(operations(target.elements, self.dtype), read, made, dtype=self.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::mse_loss": _pairwise(2, 2),
    "aten::l1_loss": _pairwise(2, 2),
    "aten::smooth_l1_loss": _pairwise(4, 2),
    "aten::huber_loss": _pairwise(4, 2),
    "aten::soft_margin_loss": _pairwise(4, 2),
    "aten::binary_cross_entropy": _pairwise(7, 3),
    "aten::binary_cross_entropy_with_logits": _pairwise(8, 4),
    "aten::mse_loss_backward": _pairwise_backward(3),
    "aten::smooth_l1_loss_backward": _pairwise_backward(4),
    "aten::huber_loss_backward": _pairwise_backward(4),
    "aten::soft_margin_loss_backward": _pairwise_backward(5),
    "aten::binary_cross_entropy_backward": _pairwise_backward(5, 4),
    "aten::nll_loss_forward": _picked,
    "aten::nll_loss2d_forward": _picked,
    "aten::nll_loss_backward": _picked_backward,
    "aten::nll_loss2d_backward": _picked_backward,
}
