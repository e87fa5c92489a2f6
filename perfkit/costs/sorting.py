"""Sort, top-k, unique, search. Comparisons of floating-point values count as operations: n·log2(n).

Bytes are those of one pass. A radix sort on a device passes over keys and positions several times, and
takes far longer than this floor.
"""

from __future__ import annotations

from math import ceil, log2

from perfkit.costs._call import Call, Cost, CostFunction, Operand, nbytes
from perfkit.costs._shapes import along, axes, operations, recorded, replaced, without, written


def _steps(size: int) -> int:
    """Comparisons per element among `size` of them."""
    return max(1, ceil(log2(size))) if size > 1 else 1


def _with_positions(call: Call, self: Operand, shape: tuple[int, ...], steps: int) -> Cost:
    made = written(call, Operand(shape, self.dtype), Operand(shape, "int64"))
    flops = operations(self.elements * steps, self.dtype)
    return Cost(flops, self.nbytes, made, dtype=self.dtype)


def _sort(call: Call) -> Cost:
    """Dimension second, or after `stable`."""
    self = call.operand(0)
    numbers = [v for v in call.inputs[1:3] if isinstance(v, int) and not isinstance(v, bool)]
    size = along(self.shape, numbers[0] if numbers else -1)
    return _with_positions(call, self, self.shape, _steps(size))


def _argsort(call: Call) -> Cost:
    self = call.operand(0)
    made = written(call, Operand(self.shape, "int64"))
    flops = operations(self.elements * _steps(along(self.shape, -1)), self.dtype)
    return Cost(flops, self.nbytes, made, dtype=self.dtype)


def _topk(call: Call) -> Cost:
    """A selection: one comparison per element at least."""
    self, k, axis = call.operand(0), int(call.plain(1, 1)), int(call.plain(2, -1))
    return _with_positions(call, self, replaced(self.shape, axis, k), 1)


def _kth(call: Call) -> Cost:
    """The k-th value, median or mode, with its position, per row."""
    self = call.operand(0)
    numbers = [v for v in call.inputs[1:3] if isinstance(v, int) and not isinstance(v, bool)]
    if call.name == "aten::kthvalue":
        numbers = numbers[1:] or [-1]
    rest = without(self.shape, axes(numbers[0] if numbers else None, len(self.shape)))
    return _with_positions(call, self, rest, 1)


def _unique(call: Call) -> Cost:
    self = call.operand(0)
    made = nbytes(*recorded(call, "the data says how many differ"))
    flops = operations(self.elements * _steps(self.elements), self.dtype)
    return Cost(flops, self.nbytes, made, dtype=self.dtype)


def _unique_consecutive(call: Call) -> Cost:
    self = call.operand(0)
    made = nbytes(*recorded(call, "the data says how many differ"))
    return Cost(operations(self.elements, self.dtype), self.nbytes, made, dtype=self.dtype)


def _searched(call: Call, borders: Operand, values: Operand | None) -> Cost:
    """A bisection per value; borders travel as far as they are looked at."""
    number = values.elements if values is not None else 1
    steps = _steps(along(borders.shape, -1) + 1)
    made = written(call, Operand(values.shape if values else (), "int64"))
    looked = min(borders.nbytes, number * steps * borders.itemsize)
    flops = operations(number * steps, borders.dtype)
    return Cost(flops, looked + nbytes(values), made, dtype=borders.dtype)


def _searchsorted(call: Call) -> Cost:
    return _searched(call, call.operand(0), call.optional(1))


def _bucketize(call: Call) -> Cost:
    return _searched(call, call.operand(1), call.optional(0))


def _isin(call: Call) -> Cost:
    """Sorted and searched: a bisection per element."""
    elements, tests = call.operand(0), call.operand(1)
    flops = operations(elements.elements * _steps(tests.elements), elements.dtype)
    made = written(call, Operand(elements.shape, "bool"))
    return Cost(flops, nbytes(elements, tests), made, dtype=elements.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::sort": _sort,
    "aten::msort": _sort,
    "aten::argsort": _argsort,
    "aten::topk": _topk,
    "aten::kthvalue": _kth,
    "aten::median": _kth,
    "aten::nanmedian": _kth,
    "aten::mode": _kth,
    "aten::_unique": _unique,
    "aten::_unique2": _unique,
    "aten::unique_dim": _unique,
    "aten::unique_dim_consecutive": _unique_consecutive,
    "aten::unique_consecutive": _unique_consecutive,
    "aten::searchsorted": _searchsorted,
    "aten::bucketize": _bucketize,
    "aten::isin": _isin,
}
