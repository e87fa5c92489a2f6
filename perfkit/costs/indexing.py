"""Gather, scatter, index and mask: elements that are touched, not the tensor they lie in.

Reads are the index and one element per place, at most the whole source; each element counts with its own
bytes, although a memory system moves sectors of 32 bytes or more. Where results are added to what is
there, the target is read as well. What is not in place first copies its input. Results as large as the
data decides (`nonzero`, `masked_select`, a mask as index) need their outputs recorded.
"""

from __future__ import annotations

from math import prod
from typing import Any

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import broadcast, operations, output, recorded, replaced


def _picked(call: Call, self: Operand, index: int, out: Operand) -> Cost:
    """`index`: bytes of the indices."""
    read = index + min(self.nbytes, out.elements * self.itemsize)
    return Cost(0, read, out.nbytes, dtype=self.dtype)


def _gather(call: Call) -> Cost:
    self, index = call.operand(0), call.operand(2)
    return _picked(call, self, index.nbytes, output(call, index.shape, self.dtype))


def _take(call: Call) -> Cost:
    self, index = call.operand(0), call.operand(1)
    return _picked(call, self, index.nbytes, output(call, index.shape, self.dtype))


def _index_select(call: Call) -> Cost:
    self, axis, index = call.operand(0), call.plain(1, 0), call.operand(2)
    shape = replaced(self.shape, int(axis), index.elements)
    return _picked(call, self, index.nbytes, output(call, shape, self.dtype))


def indexed_shape(shape: tuple[int, ...], indices: tuple[Any, ...]) -> tuple[int, ...]:
    """What `tensor[i, :, j]` has: the indices' common shape, where they stand if side by side.

    Raises:
        Unknown: a mask is among them, or an index is not recorded.
    """
    given = [(axis, i) for axis, i in enumerate(indices) if isinstance(i, Operand)]
    if not given:
        raise Unknown("no index has a recorded shape")
    if any(i.dtype in ("bool", "uint8") for _, i in given):
        raise Unknown("a mask as index: how many elements it picks is not recorded")
    common = broadcast(*(i.shape for _, i in given))
    taken = [axis for axis, _ in given]
    rest = tuple(n for axis, n in enumerate(shape) if axis not in taken)
    at = taken[0] if taken == list(range(taken[0], taken[-1] + 1)) else 0
    return (*rest[:at], *common, *rest[at:])


def _index(call: Call) -> Cost:
    self, indices = call.operand(0), call.several(1)
    shape = call.outputs[0].shape if call.outputs else indexed_shape(self.shape, call.inputs[1])
    return _picked(call, self, nbytes(*indices), output(call, shape, self.dtype))


def _put(call: Call, places: int, index: int, values: Operand | None, adds: bool) -> Cost:
    """`places` elements of the first operand are written; what is not in place copies it before."""
    self = call.operand(0)
    size = places * self.itemsize
    whole = 0 if call.name.endswith("_") else self.nbytes
    read = index + nbytes(values) + (size if adds else 0) + whole
    flops = operations(places if adds else 0, self.dtype)
    return Cost(flops, read, size + whole, dtype=self.dtype)


def _index_put(call: Call) -> Cost:
    """A mask with one value is a masked fill, as torch runs it; with several, each goes to a place."""
    self, indices, values = call.operand(0), call.several(1), call.operand(2)
    if len(indices) == 1 and indices[0].dtype in ("bool", "uint8"):
        if values.elements == 1:
            read = nbytes(self, indices[0], values)
            return Cost(0, read, self.elements * self.itemsize, dtype=self.dtype)
        return _put(call, values.elements, indices[0].nbytes, values, call.plain(3) is True)
    places = prod(indexed_shape(self.shape, call.inputs[1]))
    return _put(call, places, nbytes(*indices), values, call.plain(3) is True)


def _scatter(call: Call) -> Cost:
    """Target, dimension, index, source or number, and how to reduce."""
    index, source = call.operand(2), call.optional(3)
    size = index.elements * source.itemsize if source is not None else 0
    values = Operand((size,), "uint8") if source is not None else None
    adds = isinstance(call.plain(4), str) or "scatter_add" in call.name
    return _put(call, index.elements, index.nbytes, values, adds)


def _index_add(call: Call) -> Cost:
    index, source = call.operand(2), call.operand(3)
    adds = "copy" not in call.name
    return _put(call, source.elements, index.nbytes, source, adds)


def _index_fill(call: Call) -> Cost:
    self, axis, index = call.operand(0), int(call.plain(1, 0)), call.operand(2)
    places = prod(replaced(self.shape, axis, index.elements))
    return _put(call, places, index.nbytes, None, False)


def _put_flat(call: Call) -> Cost:
    index, source = call.operand(1), call.operand(2)
    return _put(call, index.elements, index.nbytes, source, call.plain(3) is True)


def _found(call: Call) -> Cost:
    """`nonzero` reads all; what it finds is as long as the data says."""
    self = call.operand(0)
    made = nbytes(*recorded(call, "the data says how many are not zero"))
    return Cost(0, self.nbytes, made, dtype=self.dtype)


def _masked_select(call: Call) -> Cost:
    self, mask = call.operand(0), call.operand(1)
    out = recorded(call, "the mask says how many are picked")[0]
    return Cost(0, mask.nbytes + out.nbytes, out.nbytes, dtype=self.dtype)


def _masked_scatter(call: Call) -> Cost:
    """At most all of the source is taken."""
    self, mask, source = call.operand(0), call.operand(1), call.operand(2)
    picked = min(source.nbytes, self.nbytes)
    whole = 0 if call.name.endswith("_") else self.nbytes
    return Cost(0, mask.nbytes + picked + whole, picked + whole, dtype=self.dtype)


def _masked_scatter_backward(call: Call) -> Cost:
    """Gradient, mask, sizes of the source."""
    grad, mask, sizes = call.operand(0), call.operand(1), call.plain(2)
    if not isinstance(sizes, tuple):
        raise Unknown(f"{call.name}: the size of the source is not recorded")
    out = output(call, sizes, grad.dtype)
    return Cost(0, mask.nbytes + min(grad.nbytes, out.nbytes), out.nbytes, dtype=grad.dtype)


def _unsafe_masked_index(call: Call) -> Cost:
    """Tensor, mask, indices, what stands where the mask does not hold."""
    self, mask = call.operand(0), call.operand(1)
    out = output(call, mask.shape, self.dtype)
    return _picked(call, self, mask.nbytes + nbytes(*call.several(2)), out)


def _unsafe_masked_put(call: Call) -> Cost:
    mask, values = call.operand(1), call.operand(3)
    return _put(call, mask.elements, mask.nbytes + nbytes(*call.several(2)), values, True)


_PUTS: dict[str, CostFunction] = {
    "index_put": _index_put,
    "_index_put_impl": _index_put,
    "_unsafe_index_put": _index_put,
    "scatter": _scatter,
    "scatter_add": _scatter,
    "scatter_reduce": _scatter,
    "index_add": _index_add,
    "index_reduce": _index_add,
    "index_copy": _index_add,
    "index_fill": _index_fill,
    "put": _put_flat,
    "masked_scatter": _masked_scatter,
}

COSTS: dict[str, CostFunction] = {
    **{f"aten::{name}": function for name, function in _PUTS.items()},
    **{f"aten::{name}_": function for name, function in _PUTS.items()},
    "aten::gather": _gather,
    "aten::take": _take,
    "aten::take_along_dim": _take,
    "aten::index_select": _index_select,
    "aten::index": _index,
    "aten::_unsafe_index": _index,
    "aten::nonzero": _found,
    "aten::nonzero_static": _found,
    "aten::argwhere": _found,
    "aten::masked_select": _masked_select,
    "aten::masked_scatter_backward": _masked_scatter_backward,
    "aten::_unsafe_masked_index": _unsafe_masked_index,
    "aten::_unsafe_masked_index_put_accumulate": _unsafe_masked_put,
}
