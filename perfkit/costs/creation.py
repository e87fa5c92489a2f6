"""Tensors filled from nothing: constants, ranges, random numbers. Only writes.

A random number counts as one operation, whatever the generator does. Where a call says neither dtype
nor output, float32 is taken, as torch does.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown
from perfkit.costs._shapes import dtype_named, names, operations, output


def _filled(out: Operand, per_element: int = 0) -> Cost:
    flops = operations(per_element * out.elements, out.dtype)
    return Cost(flops, 0, out.nbytes, dtype=out.dtype)


def _into(call: Call) -> Cost:
    return _filled(call.operand(0))


def _random_into(call: Call) -> Cost:
    return _filled(call.operand(0), 1)


def _like(dtype: int, per_element: int = 0) -> CostFunction:
    """As large as the first tensor; `dtype` is the argument that names another."""

    def function(call: Call) -> Cost:
        self = call.operand(0)
        name = dtype_named(call.plain(dtype)) or self.dtype
        return _filled(output(call, self.shape, name), per_element)

    return function


def _sized(size: int, dtype: int, per_element: int = 0, default: str = "float32") -> CostFunction:
    """As large as the sizes that stand at `size`."""

    def function(call: Call) -> Cost:
        shape = call.plain(size)
        if not call.outputs and not isinstance(shape, tuple):
            raise Unknown(f"{call.name}: the size is not recorded")
        like = call.optional(0)
        name = dtype_named(call.plain(dtype)) or (like.dtype if like else default)
        return _filled(output(call, shape or (), name), per_element)

    return function


def _numbers(
    call: Call, needed: Callable[[list[float]], int], bounds: int, default: str = ""
) -> Cost:
    """`bounds`: how many numbers come first; the dtype stands behind them."""
    if call.outputs:
        return _filled(call.outputs[0])
    values = [v for v in call.inputs[:bounds] if isinstance(v, (int, float))]
    if not values:
        raise Unknown(f"{call.name}: the bounds are not recorded")
    whole = all(isinstance(v, int) for v in values)
    dtype = dtype_named(call.plain(bounds)) or default or ("int64" if whole else "float32")
    return _filled(Operand((needed(values),), dtype))


def _range(values: list[float]) -> int:
    start, end, step = (0.0, values[0], 1.0) if len(values) == 1 else (*values[:2], 1.0)
    if len(values) > 2 and values[2]:
        step = values[2]
    return max(0, ceil((end - start) / step))


def _arange(call: Call) -> Cost:
    """End; or start and end; or start, end and step: the number of arguments tells."""
    return _numbers(call, _range, {4: 3, 6: 2, 7: 3}.get(len(call.inputs), 1))


def _linspace(call: Call) -> Cost:
    return _numbers(call, lambda values: int(values[-1]), 3, "float32")


def _count(call: Call) -> Cost:
    return _numbers(call, lambda values: int(values[0]), 1)


def _square(call: Call) -> Cost:
    sizes = [v for v in call.inputs[:2] if isinstance(v, int) and not isinstance(v, bool)]
    if not sizes and not call.outputs:
        raise Unknown(f"{call.name}: the size is not recorded")
    shape = (*sizes, *sizes[:1])[:2]
    return _filled(output(call, shape, "float32"))


def _scalar(call: Call) -> Cost:
    return _filled(output(call, (), dtype_named(call.plain(1)) or "float32"))


def _drawn(call: Call) -> Cost:
    """A draw per row or element of a probability that is read."""
    weights = call.operand(0)
    rows = call.plain(1, 1) if call.name == "aten::multinomial" else 0
    shape = (*weights.shape[:-1], int(rows)) if rows else weights.shape
    out = output(call, shape, "int64" if rows else weights.dtype)
    return Cost(operations(weights.elements, weights.dtype), weights.nbytes, out.nbytes)


def _triangle(upper: bool) -> CostFunction:
    """Rows and columns of a triangle's elements: rows, columns, by how much its diagonal is off."""

    def function(call: Call) -> Cost:
        rows, columns, off = call.plain(0), call.plain(1), int(call.plain(2, 0))
        if not isinstance(rows, int) or not isinstance(columns, int):
            raise Unknown(f"{call.name}: the size is not recorded")
        below = off - 1 if upper else off
        lower = sum(min(columns, max(0, row + 1 + below)) for row in range(rows))
        number = rows * columns - lower if upper else lower
        return _filled(output(call, (2, number), "int64"))

    return function


_RANDOM = names("uniform normal random exponential geometric cauchy log_normal bernoulli")

COSTS: dict[str, CostFunction] = {
    **{f"aten::{name}_": _random_into for name in _RANDOM},
    **{f"aten::{name}": _like(99, 1) for name in ("uniform", "random", "exponential")},
    "aten::fill_": _into,
    "aten::zero_": _into,
    "aten::fill_diagonal_": lambda call: _filled(
        Operand((min(call.operand(0).shape),), call.operand(0).dtype)
    ),
    "aten::fill": _like(99),
    "aten::zero": _like(99),
    "aten::zeros": _sized(0, 1),
    "aten::ones": _sized(0, 1),
    "aten::full": _sized(0, 2),
    "aten::new_zeros": _sized(1, 2),
    "aten::new_ones": _sized(1, 2),
    "aten::new_full": _sized(1, 3),
    "aten::zeros_like": _like(1),
    "aten::ones_like": _like(1),
    "aten::full_like": _like(2),
    "aten::rand": _sized(0, 1, 1),
    "aten::randn": _sized(0, 1, 1),
    "aten::rand_like": _like(1, 1),
    "aten::randn_like": _like(1, 1),
    "aten::randint_like": _like(99, 1),
    "aten::randint": lambda call: _sized(1 if len(call.inputs) == 6 else 2, 99, 0, "int64")(call),
    "aten::normal": _like(99, 1),
    "aten::bernoulli": _drawn,
    "aten::multinomial": _drawn,
    "aten::poisson": _drawn,
    "aten::arange": _arange,
    "aten::range": _arange,
    "aten::linspace": _linspace,
    "aten::logspace": _linspace,
    "aten::randperm": _count,
    "aten::hann_window": _count,
    "aten::hamming_window": _count,
    "aten::eye": _square,
    "aten::tril_indices": _triangle(False),
    "aten::triu_indices": _triangle(True),
    "aten::scalar_tensor": _scalar,
}
