"""Indices of non-zero elements: the size of the result depends on values.

**Synchronises**: `nonzero`, `argwhere`, one-argument `where`, `to_sparse`, `combinations`, the gradient of
`prod()`: the host
must learn the count before it can allocate (ATen Nonzero.cu: one copy and one stream synchronisation).

**Looks alike, does not**: `nonzero_static(size=...)`, three-argument `where`, `count_nonzero`.

**Instead**: `torch.where(cond, a, b)` or masked arithmetic when only values are needed;
`nonzero_static(size=n)` when the count is known or bounded; sort by key and split once for routing.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen, once_on_device

DIRECTION = "d2h"
FIX = "torch.where or masked arithmetic; nonzero_static(size=...) when the count is bounded"


OPS = {
    "aten::nonzero": once_on_device,
    "aten::_to_sparse": once_on_device,
    "aten::_to_sparse.sparse_dim": once_on_device,
}


def _product(call: Call) -> Seen | None:
    factors = call.arg(0, "self")
    return Seen(op="aten::nonzero") if call.on_device(factors) and factors.dim() else None


# its gradient looks for zeros (prod_backward in FunctionsManual.cpp)
BACKWARD = {"aten::prod": _product}
