"""Resampling: interpolation, grid samples, unfolding into columns.

Interpolation takes a multiplication and an addition per neighbour: 2 per dimension for linear, 4 for
cubic; nearest only copies. Weights of neighbours are not counted. Grid samples: 2^d neighbours with a
product of d weights each; the input travels at most once.
"""

from __future__ import annotations

from math import prod
from typing import Any

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import operations, output, pair, written

_NEIGHBOURS = {
    "upsample_nearest1d": 0,
    "upsample_nearest2d": 0,
    "upsample_nearest3d": 0,
    "_upsample_nearest_exact1d": 0,
    "_upsample_nearest_exact2d": 0,
    "_upsample_nearest_exact3d": 0,
    "upsample_linear1d": 2,
    "upsample_bilinear2d": 4,
    "upsample_trilinear3d": 8,
    "upsample_bicubic2d": 16,
    "_upsample_bilinear2d_aa": 4,
    "_upsample_bicubic2d_aa": 16,
    "_upsample_lanczos2d_aa": 36,
}


def _sizes(call: Call, x: Operand) -> tuple[int, ...]:
    """The size wanted, or factors on the input's where only those are given."""
    size: Any = call.plain(1)
    if not isinstance(size, tuple) or not size:
        factors = [v for v in call.inputs[2:] if isinstance(v, tuple) and v]
        if not factors:
            raise Unknown(f"{call.name}: the size of the output is not recorded")
        rank = len(factors[0])
        scaled = zip(x.shape[-rank:], factors[0], strict=True)
        size = tuple(int(n * factor) for n, factor in scaled)
    return (*x.shape[: -len(size)], *size)


def _interpolation(neighbours: int) -> CostFunction:
    def function(call: Call) -> Cost:
        x = call.operand(0)
        shape = call.outputs[0].shape if call.outputs else _sizes(call, x)
        out = output(call, shape, x.dtype)
        read = min(x.nbytes, max(neighbours, 1) * out.nbytes)
        flops = operations(2 * neighbours * out.elements, x.dtype)
        return Cost(flops, read, out.nbytes, dtype=x.dtype)

    return function


def _interpolation_backward(neighbours: int) -> CostFunction:
    """Gradient, output size, input size."""

    def function(call: Call) -> Cost:
        grad, size = call.operand(0), call.plain(2)
        if not call.outputs and not isinstance(size, tuple):
            raise Unknown(f"{call.name}: the size of the input is not recorded")
        out = output(call, size or (), grad.dtype)
        flops = operations(max(2 * neighbours, 1) * grad.elements, grad.dtype)
        return Cost(flops, grad.nbytes, out.nbytes, dtype=grad.dtype)

    return function


def _grid(call: Call) -> Cost:
    x, grid = call.operand(0), call.operand(1)
    rank = grid.shape[-1]
    shape = (*x.shape[:2], *grid.shape[1:-1])
    out = output(call, shape, x.dtype)
    flops = operations(2 * 2**rank * out.elements + 2**rank * rank * grid.elements, x.dtype)
    return Cost(flops, nbytes(x, grid), out.nbytes, dtype=x.dtype)


def _grid_gradients(grad: Operand, x: Operand, grid: Operand, mask: tuple[Any, ...]) -> Cost:
    wanted = [o for o, asked in zip((x, grid), mask, strict=False) if asked]
    rank = grid.shape[-1]
    flops = operations(4 * 2**rank * grad.elements, x.dtype)
    made = nbytes(*(Operand(o.shape, o.dtype) for o in wanted))
    return Cost(flops, nbytes(grad, x, grid), made, dtype=x.dtype)


def _grid_backward(call: Call) -> Cost:
    mask = call.plain(6, (True, True))
    return _grid_gradients(call.operand(0), call.operand(1), call.operand(2), mask)


def _library_grid_backward(call: Call) -> Cost:
    return _grid_gradients(call.operand(2), call.operand(0), call.operand(1), (True, True))


def _columns(call: Call) -> Cost:
    """Windows side by side: each place of the kernel for each position of the window."""
    x = call.operand(0)
    kernel, dilation, padding, stride = (pair(call.plain(index), 2) for index in (1, 2, 3, 4))
    sides = zip(x.shape[-2:], kernel, dilation, padding, stride, strict=True)
    places = prod((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in sides)
    shape = (*x.shape[:-3], x.shape[-3] * prod(kernel), places)
    out = output(call, shape, x.dtype)
    return Cost(0, x.nbytes, out.nbytes, dtype=x.dtype)


def _image(call: Call) -> Cost:
    """Columns added up where windows overlap."""
    x, size, kernel = call.operand(0), pair(call.plain(1), 2), pair(call.plain(2), 2)
    shape = (*x.shape[:-2], x.shape[-2] // prod(kernel), *size)
    out = output(call, shape, x.dtype)
    return Cost(operations(x.elements, x.dtype), x.nbytes, out.nbytes, dtype=x.dtype)


def _affine_grid(call: Call) -> Cost:
    theta, size = call.operand(0), call.plain(1)
    if not isinstance(size, tuple):
        raise Unknown(f"{call.name}: the size of the output is not recorded")
    rank = len(size) - 2
    shape = (size[0], *size[2:], rank)
    made = written(call, Operand(shape, theta.dtype))
    return Cost(2 * prod(shape) * (rank + 1), theta.nbytes, made, dtype=theta.dtype)


COSTS: dict[str, CostFunction] = {
    **{f"aten::{name}": _interpolation(n) for name, n in _NEIGHBOURS.items()},
    **{f"aten::{name}_backward": _interpolation_backward(n) for name, n in _NEIGHBOURS.items()},
    "aten::grid_sampler_2d": _grid,
    "aten::grid_sampler_3d": _grid,
    "aten::_grid_sampler_2d_cpu_fallback": _grid,
    "aten::cudnn_grid_sampler": _grid,
    "aten::grid_sampler_2d_backward": _grid_backward,
    "aten::grid_sampler_3d_backward": _grid_backward,
    "aten::_grid_sampler_2d_cpu_fallback_backward": _grid_backward,
    "aten::cudnn_grid_sampler_backward": _library_grid_backward,
    "aten::im2col": _columns,
    "aten::col2im": _image,
    "aten::affine_grid_generator": _affine_grid,
    "aten::cudnn_affine_grid_generator": _affine_grid,
}
