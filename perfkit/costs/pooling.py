"""Pooling: one operation per output element and place of its window; the input travels once.

Maximum pooling also writes int64 positions, and its backward pass reads them. Adaptive windows
cover the input about once.
"""

from __future__ import annotations

from math import prod

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import operations, pair, written


def _windows(call: Call, x: Operand, rank: int, dilated: bool) -> tuple[int, ...]:
    """The output's shape. Kernel, stride (the kernel where empty), padding, dilation, ceiling mode."""
    if len(x.shape) not in (rank + 1, rank + 2):
        raise Unknown(f"{call.name} of {x.shape}")
    kernel = pair(call.plain(1), rank)
    stride = pair(call.plain(2) or kernel, rank)
    padding = pair(call.plain(3, 0), rank)
    dilation = pair(call.plain(4, 1), rank) if dilated else (1,) * rank
    up = call.plain(5 if dilated else 4) is True
    sizes = []
    for n, k, s, p, d in zip(x.shape[-rank:], kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        size = (room + (s - 1 if up else 0)) // s + 1
        sizes.append(size - 1 if up and (size - 1) * s >= n + p else size)
    return (*x.shape[:-rank], *sizes)


def _pool(rank: int, positions: bool, dilated: bool) -> CostFunction:
    def function(call: Call) -> Cost:
        x = call.operand(0)
        shape = call.outputs[0].shape if call.outputs else _windows(call, x, rank, dilated)
        places = prod(pair(call.plain(1), rank))
        where = Operand(shape, "int64") if positions else None
        made = written(call, Operand(shape, x.dtype), where)
        flops = operations(prod(shape) * places, x.dtype)
        return Cost(flops, x.nbytes, made, dtype=x.dtype)

    return function


def _adaptive(rank: int, positions: bool) -> CostFunction:
    def function(call: Call) -> Cost:
        x = call.operand(0)
        shape = (*x.shape[:-rank], *pair(call.plain(1), rank))
        where = Operand(shape, "int64") if positions else None
        made = written(call, Operand(shape, x.dtype), where)
        flops = operations(max(x.elements, prod(shape)), x.dtype)
        return Cost(flops, x.nbytes, made, dtype=x.dtype)

    return function


def _average_backward(call: Call) -> Cost:
    """Each gradient is spread over its window; the input is only asked for its shape."""
    grad, x = call.operand(0), call.operand(1)
    kernel = call.plain(2)
    places = prod(kernel) if isinstance(kernel, tuple) else 1
    flops = operations(max(grad.elements * places, x.elements), grad.dtype)
    return Cost(flops, grad.nbytes, x.elements * x.itemsize, dtype=grad.dtype)


def _maximum_backward(call: Call) -> Cost:
    """Gradients go to the recorded positions, one addition each."""
    grad, x = call.operand(0), call.operand(1)
    positions = [o for o in call.operands[2:] if o.dtype == "int64"]
    read = nbytes(grad, *positions)
    made = x.elements * x.itemsize
    return Cost(operations(grad.elements, grad.dtype), read, made, dtype=grad.dtype)


def _unpool(call: Call) -> Cost:
    self, positions, size = call.operand(0), call.operand(1), call.plain(2)
    if not call.outputs and not isinstance(size, tuple):
        raise Unknown(f"{call.name}: the size of the output is not recorded")
    shape = (*self.shape[: -len(size)], *size) if isinstance(size, tuple) else ()
    made = written(call, Operand(shape, self.dtype))
    return Cost(0, nbytes(self, positions), made, dtype=self.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::max_pool1d": _pool(1, False, True),
    "aten::max_pool2d": _pool(2, False, True),
    "aten::max_pool3d": _pool(3, False, True),
    "aten::mkldnn_max_pool2d": _pool(2, False, True),
    "aten::mkldnn_max_pool3d": _pool(3, False, True),
    "aten::quantized_max_pool1d": _pool(1, False, True),
    "aten::quantized_max_pool2d": _pool(2, False, True),
    "aten::max_pool2d_with_indices": _pool(2, True, True),
    "aten::max_pool3d_with_indices": _pool(3, True, True),
    "aten::avg_pool1d": _pool(1, False, False),
    "aten::avg_pool2d": _pool(2, False, False),
    "aten::avg_pool3d": _pool(3, False, False),
    "aten::_adaptive_avg_pool2d": _adaptive(2, False),
    "aten::_adaptive_avg_pool3d": _adaptive(3, False),
    "aten::mkldnn_adaptive_avg_pool2d": _adaptive(2, False),
    "aten::adaptive_max_pool2d": _adaptive(2, True),
    "aten::adaptive_max_pool3d": _adaptive(3, True),
    "aten::avg_pool2d_backward": _average_backward,
    "aten::avg_pool3d_backward": _average_backward,
    "aten::_adaptive_avg_pool2d_backward": _average_backward,
    "aten::_adaptive_avg_pool3d_backward": _average_backward,
    "aten::adaptive_avg_pool3d_backward": _average_backward,
    "aten::mkldnn_adaptive_avg_pool2d_backward": _average_backward,
    "aten::max_pool2d_backward": _maximum_backward,
    "aten::max_pool2d_with_indices_backward": _maximum_backward,
    "aten::max_pool3d_with_indices_backward": _maximum_backward,
    "aten::adaptive_max_pool2d_backward": _maximum_backward,
    "aten::adaptive_max_pool3d_backward": _maximum_backward,
    "aten::max_unpool2d": _unpool,
    "aten::max_unpool3d": _unpool,
}
