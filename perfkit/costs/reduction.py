"""Reductions and scans. FLOPs: one per element read and operation that is folded in.

A sum is 1 per element; a mean 1 and a division per result; a variance 4 (a sum, then difference, square
and sum); a norm 2; logsumexp 4 (maximum, difference, exp, sum). Comparisons of floating-point values
count (max, argmax), of truth values (any, all) not. Scans (cumsum) write as much as they read.
"""

from __future__ import annotations

from typing import Any

from perfkit.costs._call import Call, Cost, CostFunction, Operand, nbytes
from perfkit.costs._shapes import (
    axes,
    category,
    dtype_named,
    operations,
    replaced,
    without,
    written,
)
from perfkit.costs.elementwise import pointwise

_WITH_DTYPE = ("aten::sum", "aten::nansum", "aten::prod", "aten::mean")


def _dimensions(call: Call, at: int) -> Any:
    """The dimension argument. A lone number with nothing behind it is the dtype of a full sum."""
    value = call.plain(at)
    if isinstance(value, tuple):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and len(call.inputs) > at + 1:
        return value
    return None


def _rest(call: Call, self: Operand, at: int) -> tuple[int, ...]:
    return without(self.shape, axes(_dimensions(call, at), len(self.shape)))


def _wanted(call: Call) -> str | None:
    """The dtype a sum is asked for: the only argument, or behind dimensions and `keepdim`."""
    if call.name not in _WITH_DTYPE:
        return None
    return dtype_named(call.plain(3 if len(call.inputs) > 2 else 1))


def _reduce(
    per_element: int, per_result: int = 0, at: int = 1, dtypes: tuple[str, ...] = ("",)
) -> CostFunction:
    """`dtypes` of the outputs, empty for the input's; "sum" where whole numbers become int64."""

    def function(call: Call) -> Cost:
        self = call.operand(0)
        rest = _rest(call, self, at)
        widened = "int64" if category(self.dtype) < 2 else self.dtype
        wanted = _wanted(call)
        names = (wanted or (self.dtype if not d else widened if d == "sum" else d) for d in dtypes)
        outs = [Operand(rest, name) for name in names]
        count = per_element * self.elements + per_result * outs[0].elements
        made = written(call, *outs)
        return Cost(operations(count, self.dtype), self.nbytes, made, dtype=self.dtype)

    return function


def _extreme(call: Call) -> Cost:
    """`max`: of two tensors, of all elements, or along a dimension with positions."""
    if call.optional(1) is not None:
        return pointwise(2, 1)(call)
    dtypes = ("",) if _dimensions(call, 1) is None else ("", "int64")
    return _reduce(1, dtypes=dtypes)(call)


def _norm(call: Call) -> Cost:
    """Tensor, order, dimensions."""
    return _reduce(2, 1, at=2)(call)


def whole_norm(call: Call) -> Cost:
    """The norm of all elements, whatever stands behind the tensor."""
    return _norm(Call(call.name, call.inputs[:1], call.outputs))


def _difference_norm(call: Call) -> Cost:
    a, b = call.operand(0), call.operand(1)
    made = written(call, Operand((), a.dtype))
    return Cost(operations(3 * a.elements, a.dtype), nbytes(a, b), made, dtype=a.dtype)


def _renorm(call: Call) -> Cost:
    self = call.operand(0)
    size = self.elements * self.itemsize
    return Cost(operations(3 * self.elements, self.dtype), self.nbytes, size, dtype=self.dtype)


def _scan(per_element: int, positions: bool = False) -> CostFunction:
    def function(call: Call) -> Cost:
        self = call.operand(0)
        dtype = "int64" if category(self.dtype) < 2 and not positions else self.dtype
        dtype = dtype_named(call.plain(2)) or dtype
        second = Operand(self.shape, "int64") if positions else None
        made = written(call, Operand(self.shape, dtype), second)
        flops = operations(per_element * self.elements, self.dtype)
        return Cost(flops, self.nbytes, made, dtype=self.dtype)

    return function


def _scan_into(call: Call) -> Cost:
    """`_cummax_helper`: tensor, values, positions."""
    self, values, positions = call.operand(0), call.operand(1), call.operand(2)
    flops = operations(self.elements, self.dtype)
    return Cost(flops, self.nbytes, nbytes(values, positions), dtype=self.dtype)


def _trace(call: Call) -> Cost:
    self = call.operand(0)
    diagonal = min(self.shape)
    size = diagonal * self.itemsize
    return Cost(operations(diagonal, self.dtype), size, self.itemsize, dtype=self.dtype)


def _same(call: Call) -> Cost:
    """`equal` and `allclose` read both sides and answer the host."""
    a, b = call.operand(0), call.operand(1)
    return Cost(operations(a.elements, a.dtype), nbytes(a, b), 1, dtype=a.dtype)


def _prepended(call: Call) -> Cost:
    """`diff`-like: one operation per element, about as many written."""
    self = call.operand(0)
    shape = replaced(self.shape, -1, max(0, self.shape[-1] - 1)) if self.shape else ()
    made = written(call, Operand(shape, self.dtype))
    return Cost(operations(self.elements, self.dtype), self.nbytes, made, dtype=self.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::sum": _reduce(1, dtypes=("sum",)),
    "aten::nansum": _reduce(1, dtypes=("sum",)),
    "aten::prod": _reduce(1, dtypes=("sum",)),
    "aten::mean": _reduce(1, 1),
    "aten::var": _reduce(4, 1),
    "aten::std": _reduce(4, 2),
    "aten::var_mean": _reduce(4, 2, dtypes=("", "")),
    "aten::std_mean": _reduce(4, 3, dtypes=("", "")),
    "aten::amax": _reduce(1),
    "aten::amin": _reduce(1),
    "aten::aminmax": _reduce(2, dtypes=("", "")),
    "aten::_aminmax": _reduce(2, dtypes=("", "")),
    "aten::max": _extreme,
    "aten::min": _extreme,
    "aten::argmax": _reduce(1, dtypes=("int64",)),
    "aten::argmin": _reduce(1, dtypes=("int64",)),
    "aten::all": _reduce(0, dtypes=("bool",)),
    "aten::any": _reduce(0, dtypes=("bool",)),
    "aten::_is_all_true": _reduce(0),
    "aten::_is_any_true": _reduce(0),
    "aten::count_nonzero": _reduce(1, dtypes=("int64",)),
    "aten::logsumexp": _reduce(4, 2),
    "aten::norm": _norm,
    "aten::native_norm": _norm,
    "aten::linalg_vector_norm": _norm,
    "aten::dist": _difference_norm,
    "aten::renorm": _renorm,
    "aten::renorm_": _renorm,
    "aten::cumsum": _scan(1),
    "aten::cumsum_": _scan(1),
    "aten::cumprod": _scan(1),
    "aten::cumprod_": _scan(1),
    "aten::logcumsumexp": _scan(4),
    "aten::_logcumsumexp": _scan(4),
    "aten::cummax": _scan(1, positions=True),
    "aten::cummin": _scan(1, positions=True),
    "aten::_cummax_helper": _scan_into,
    "aten::_cummin_helper": _scan_into,
    "aten::trace": _trace,
    "aten::equal": _same,
    "aten::allclose": _same,
    "aten::diff": _prepended,
}
