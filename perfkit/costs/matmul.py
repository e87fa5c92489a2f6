"""Matrix products. 2·m·n·k FLOPs, as torch.utils.flop_counter counts; each operand travels once.

Beyond what that counter knows: products with 8-bit and 4-bit weights, grouped products, addbmm,
linear where it is one kernel. Products with a vector (mv, dot, outer) and distances between rows run
outside the matrix units and are `vector`. A grouped product counts every row as belonging to a group;
sparse products are not known, for a trace has no number of non-zeros.
"""

from __future__ import annotations

from math import prod

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import broadcast, dtype_named, output


def _product(
    call: Call,
    sizes: tuple[int, int, int, int],
    operands: tuple[Operand | None, ...],
    shape: tuple[int, ...],
    dtype: str = "",
) -> Cost:
    """`sizes`: batch, rows, inner, columns. `dtype` of the output where it differs."""
    like = next(operand for operand in operands if operand is not None)
    out = output(call, shape, dtype or like.dtype)
    return Cost(2 * prod(sizes), nbytes(*operands), out.nbytes, "matmul", like.dtype)


def _fit(call: Call, a: Operand, b: Operand, rank: int) -> None:
    if len(a.shape) != rank or len(b.shape) != rank or a.shape[-1] != b.shape[-2]:
        raise Unknown(f"{call.name} of {a.shape} and {b.shape}")


def _plain(call: Call, a: Operand, b: Operand, *more: Operand | None, dtype: str = "") -> Cost:
    _fit(call, a, b, 2)
    packed = 2 if a.dtype == "float4_e2m1fn_x2" else 1
    rows, inner, columns = a.shape[0], a.shape[1] * packed, b.shape[1]
    return _product(call, (1, rows, inner, columns), (a, b, *more), (rows, columns), dtype)


def _batched(call: Call, a: Operand, b: Operand, *more: Operand | None) -> Cost:
    _fit(call, a, b, 3)
    batch, rows, inner = a.shape[0], a.shape[1], a.shape[2]
    sizes = (batch, rows, inner, b.shape[2])
    return _product(call, sizes, (a, b, *more), (batch, rows, b.shape[2]))


def _mm(call: Call) -> Cost:
    return _plain(call, call.operand(0), call.operand(1))


def _addmm(call: Call) -> Cost:
    return _plain(call, call.operand(1), call.operand(2), call.operand(0))


def _bmm(call: Call) -> Cost:
    return _batched(call, call.operand(0), call.operand(1))


def _baddbmm(call: Call) -> Cost:
    return _batched(call, call.operand(1), call.operand(2), call.operand(0))


def _addbmm(call: Call) -> Cost:
    bias, a, b = call.operand(0), call.operand(1), call.operand(2)
    _fit(call, a, b, 3)
    shape = (a.shape[1], b.shape[2])
    return _product(call, (a.shape[0], a.shape[1], a.shape[2], b.shape[2]), (a, b, bias), shape)


def _int_mm(call: Call) -> Cost:
    return _plain(call, call.operand(0), call.operand(1), dtype="int32")


def _scaled_mm(call: Call) -> Cost:
    a, b = call.operand(0), call.operand(1)
    dtype = dtype_named(call.plain(6)) or ""
    return _plain(call, a, b, *(call.optional(i) for i in (2, 3, 4, 5)), dtype=dtype)


def _scaled_mm_v2(call: Call) -> Cost:
    scales = (*call.several(2), *call.several(5))
    dtype = dtype_named(call.plain(9)) or ""
    return _plain(call, call.operand(0), call.operand(1), *scales, call.optional(8), dtype=dtype)


def _grouped(call: Call) -> Cost:
    """Groups lie along rows (2-d, 3-d), columns (3-d, 2-d), the inner dimension (2-d, 2-d), or batch."""
    a, b = call.operand(0), call.operand(1)
    if len(a.shape) < 2 or len(b.shape) < 2 or a.shape[-1] != b.shape[-2]:
        raise Unknown(f"{call.name} of {a.shape} and {b.shape}")
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    batch = 1
    shape: tuple[int, ...] = (rows, columns)
    groups = next((o.shape[0] for o in call.operands[2:] if o.dtype == "int32" and o.shape), None)
    if len(a.shape) == len(b.shape) == 3:
        batch, shape = a.shape[0], (a.shape[0], rows, columns)
    elif len(a.shape) == len(b.shape) == 2:
        if groups is None:
            raise Unknown(f"{call.name}: the offsets of the groups are not recorded")
        shape = (groups, rows, columns)
    dtype = "" if a.dtype in ("bfloat16", "float16", "float32") else "bfloat16"
    return _product(call, (batch, rows, inner, columns), (a, b, *call.operands[2:]), shape, dtype)


def _linear(call: Call) -> Cost:
    """Input [..., k], weight [n, k], bias [n]."""
    x, weight, bias = call.operand(0), call.operand(1), call.optional(2)
    if not weight.shape or not x.shape or x.shape[-1] != weight.shape[-1]:
        raise Unknown(f"{call.name} of {x.shape} and {weight.shape}")
    inner, columns = x.shape[-1], prod(weight.shape[:-1])
    rows = prod(x.shape[:-1])
    shape = (*x.shape[:-1], *weight.shape[:-1])
    return _product(call, (1, rows, inner, columns), (x, weight, bias), shape)


def _linear_backward(call: Call) -> Cost:
    """Gradients by input and weight: two products of the forward's size, as far as they are asked."""
    x, grad, weight = call.operand(0), call.operand(1), call.operand(2)
    mask = call.plain(3, (True, True, True))
    size = 2 * prod(grad.shape) * weight.shape[-1]
    bias = Operand(weight.shape[:1], weight.dtype)
    made = sum(o.nbytes for o, wanted in zip((x, weight, bias), mask, strict=False) if wanted)
    flops = size * sum(map(bool, mask[:2]))
    return Cost(flops, nbytes(x, grad, weight), made, "matmul", x.dtype)


def _matmul(call: Call) -> Cost:
    a, b = call.operand(0), call.operand(1)
    if not a.shape or not b.shape:
        raise Unknown(f"{call.name} of {a.shape} and {b.shape}")
    left = a.shape if len(a.shape) > 1 else (1, *a.shape)
    right = b.shape if len(b.shape) > 1 else (*b.shape, 1)
    if left[-1] != right[-2]:
        raise Unknown(f"{call.name} of {a.shape} and {b.shape}")
    batch = broadcast(left[:-2], right[:-2])
    shape = (*batch, left[-2], right[-1])
    return _product(call, (prod(batch), left[-2], left[-1], right[-1]), (a, b), shape)


def _int8_weight(call: Call) -> Cost:
    a, weight, scales = call.operand(0), call.operand(1), call.operand(2)
    rows, inner, columns = a.shape[0], a.shape[1], weight.shape[0]
    return _product(call, (1, rows, inner, columns), (a, weight, scales), (rows, columns))


def _int4_weight(call: Call) -> Cost:
    """The weight is packed for one device; the columns stand in the scales, [k / group, n, 2]."""
    a, weight, scales = call.operand(0), call.operand(1), call.operand(3)
    rows, inner = a.shape[0], a.shape[1]
    columns = scales.shape[1] if len(scales.shape) > 1 else scales.shape[0]
    operands = (a, weight, scales, call.optional(4))
    return _product(call, (1, rows, inner, columns), operands, (rows, columns))


def _vector(call: Call, flops: int, operands: tuple[Operand, ...], shape: tuple[int, ...]) -> Cost:
    out = output(call, shape, operands[0].dtype)
    return Cost(flops, nbytes(*operands), out.nbytes, dtype=operands[0].dtype)


def _mv(call: Call) -> Cost:
    a, x = call.operand(0), call.operand(1)
    return _vector(call, 2 * a.elements, (a, x), a.shape[:1])


def _addmv(call: Call) -> Cost:
    bias, a, x = call.operand(0), call.operand(1), call.operand(2)
    return _vector(call, 2 * a.elements, (a, x, bias), a.shape[:1])


def _dot(call: Call) -> Cost:
    a, b = call.operand(0), call.operand(1)
    return _vector(call, 2 * a.elements, (a, b), ())


def _outer(call: Call) -> Cost:
    a, b = call.operand(0), call.operand(1)
    return _vector(call, a.elements * b.elements, (a, b), (a.elements, b.elements))


def _addr(call: Call) -> Cost:
    bias, a, b = call.operand(0), call.operand(1), call.operand(2)
    return _vector(call, 2 * a.elements * b.elements, (a, b, bias), (a.elements, b.elements))


def _cdist(call: Call) -> Cost:
    """Subtract, multiply, add per pair and feature."""
    a, b = call.operand(0), call.operand(1)
    shape = (*broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-2])
    return _vector(call, 3 * prod(shape) * a.shape[-1], (a, b), shape)


def _cdist_backward(call: Call) -> Cost:
    """Difference, scaled by gradient over distance, added: four per pair and feature."""
    grad, a, b, distance = call.operand(0), call.operand(1), call.operand(2), call.operand(4)
    return _vector(call, 4 * grad.elements * a.shape[-1], (a, b, grad, distance), a.shape)


def _pdist(call: Call) -> Cost:
    a = call.operand(0)
    pairs = a.shape[0] * (a.shape[0] - 1) // 2
    return _vector(call, 3 * pairs * a.shape[1], (a,), (pairs,))


def _pdist_backward(call: Call) -> Cost:
    grad, a, distance = call.operand(0), call.operand(1), call.operand(3)
    return _vector(call, 4 * grad.elements * a.shape[1], (a, grad, distance), a.shape)


COSTS: dict[str, CostFunction] = {
    "aten::mm": _mm,
    "aten::addmm": _addmm,
    "aten::addmm_": _addmm,
    "aten::_addmm_activation": _addmm,
    "aten::bmm": _bmm,
    "aten::baddbmm": _baddbmm,
    "aten::baddbmm_": _baddbmm,
    "aten::addbmm": _addbmm,
    "aten::addbmm_": _addbmm,
    "aten::_int_mm": _int_mm,
    "aten::_scaled_mm": _scaled_mm,
    "aten::_scaled_mm_v2": _scaled_mm_v2,
    "aten::_grouped_mm": _grouped,
    "aten::_scaled_grouped_mm": _grouped,
    "aten::_scaled_grouped_mm_v2": _grouped,
    "aten::linear": _linear,
    "aten::mkldnn_linear": _linear,
    "mkldnn::_linear_pointwise": _linear,
    "aten::linear_backward": _linear_backward,
    "aten::matmul": _matmul,
    "aten::_weight_int8pack_mm": _int8_weight,
    "aten::_weight_int4pack_mm": _int4_weight,
    "aten::_weight_int4pack_mm_for_cpu": _int4_weight,
    "aten::_weight_int4pack_mm_with_scales_and_zeros": _int4_weight,
    "aten::mv": _mv,
    "aten::addmv": _addmv,
    "aten::addmv_": _addmv,
    "aten::dot": _dot,
    "aten::vdot": _dot,
    "aten::outer": _outer,
    "aten::ger": _outer,
    "aten::addr": _addr,
    "aten::addr_": _addr,
    "aten::_cdist_forward": _cdist,
    "aten::_euclidean_dist": _cdist,
    "aten::_cdist_backward": _cdist_backward,
    "aten::_pdist_forward": _pdist,
    "aten::_pdist_backward": _pdist_backward,
}
