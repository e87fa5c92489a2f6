"""Embedding tables. Bytes are of the rows that are touched, not of the table.

A row that several indices name travels once at least; how many differ is not recorded, so rows read are
the number of indices, at most the rows of the table. The dense gradient is as large as the table
and is written in full: that is its cost. FLOPs are the additions that pool or gather gradients.
"""

from __future__ import annotations

from math import prod

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import operations, output, written


def _rows(table: Operand, indices: Operand) -> int:
    """Bytes of the rows read."""
    width = prod(table.shape[1:])
    return min(indices.elements, table.shape[0]) * width * table.itemsize


def _embedding(call: Call) -> Cost:
    table, indices = call.operand(0), call.operand(1)
    out = output(call, (*indices.shape, *table.shape[1:]), table.dtype)
    return Cost(0, indices.nbytes + _rows(table, indices), out.nbytes, dtype=table.dtype)


def _dense_gradient(call: Call, grad: Operand, rows: object, terms: int) -> Cost:
    """Every row of the table is written; `terms` additions fill those that were used."""
    if not isinstance(rows, int):
        raise Unknown(f"{call.name}: the number of rows is not recorded")
    made = rows * grad.shape[-1] * grad.itemsize
    read = nbytes(*call.operands)
    return Cost(operations(terms, grad.dtype), read, made, dtype=grad.dtype)


def _embedding_dense(call: Call) -> Cost:
    grad = call.operand(0)
    return _dense_gradient(call, grad, call.plain(2), grad.elements)


def _renorm(call: Call) -> Cost:
    """The norm of each row used, and the row scaled."""
    table, indices = call.operand(0), call.operand(1)
    rows = _rows(table, indices)
    flops = 3 * rows // table.itemsize
    return Cost(flops, indices.nbytes + rows, rows, dtype=table.dtype)


def _bags(call: Call, offsets: Operand) -> int:
    return offsets.shape[0] - (1 if call.plain(7) is True else 0)


def _bag(call: Call) -> Cost:
    table, indices, offsets = call.operand(0), call.operand(1), call.operand(2)
    weights = call.optional(6)
    width = prod(table.shape[1:])
    bags = _bags(call, offsets)
    made = written(
        call,
        Operand((bags, width), table.dtype),
        Operand(indices.shape, indices.dtype),
        Operand((bags,), indices.dtype),
    )
    per_element = 2 if weights is not None else 1
    flops = operations(per_element * indices.elements * width, table.dtype)
    read = nbytes(indices, offsets, weights) + _rows(table, indices)
    return Cost(flops, read, made, dtype=table.dtype)


def _bag_gradient(call: Call, rows: int, sparse: bool) -> Cost:
    grad, indices = call.operand(0), call.operand(1)
    terms = indices.elements * grad.shape[-1]
    if not sparse:
        return _dense_gradient(call, grad, call.plain(rows), terms)
    made = terms * grad.itemsize + indices.nbytes
    return Cost(operations(terms, grad.dtype), nbytes(*call.operands), made, dtype=grad.dtype)


def _bag_backward(call: Call) -> Cost:
    return _bag_gradient(call, 6, call.plain(9) is True)


def _bag_dense(call: Call) -> Cost:
    return _bag_gradient(call, 5, False)


def _bag_sparse(call: Call) -> Cost:
    return _bag_gradient(call, 5, True)


def _bag_weights(call: Call) -> Cost:
    """A product with the bag's gradient per index."""
    grad, table, indices = call.operand(0), call.operand(1), call.operand(2)
    width = prod(table.shape[1:])
    read = nbytes(grad, indices, call.optional(3), call.optional(4)) + _rows(table, indices)
    flops = 2 * indices.elements * width
    return Cost(flops, read, indices.elements * table.itemsize, dtype=table.dtype)


def _sparse(call: Call) -> Cost:
    """The gradient is kept as rows and their indices."""
    grad, indices = call.operand(0), call.operand(1)
    return Cost(0, nbytes(grad, indices), nbytes(grad, indices), dtype=grad.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::embedding": _embedding,
    "aten::embedding_dense_backward": _embedding_dense,
    "aten::embedding_sparse_backward": _sparse,
    "aten::embedding_renorm_": _renorm,
    "aten::_embedding_bag": _bag,
    "aten::_embedding_bag_forward_only": _bag,
    "aten::_embedding_bag_backward": _bag_backward,
    "aten::_embedding_bag_dense_backward": _bag_dense,
    "aten::_embedding_bag_sparse_backward": _bag_sparse,
    "aten::_embedding_bag_per_sample_weights_backward": _bag_weights,
}
