"""A fill along an index whose value is a device tensor.

**Synchronises**: `index_fill(dim, index, value)` with a 0-d CUDA `value`, once.

**Looks alike, does not**: the same with a Python scalar; `index_copy`.

**Instead**: `index_copy` with `value.expand(...)`, or a Python scalar.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "index_copy with value.expand(...), or a Python scalar"


def _fill(call: Call) -> Seen | None:
    return Seen() if call.on_device(call.arg(3, "value")) else None


OPS = {"aten::index_fill_.int_Tensor": _fill, "aten::index_fill.int_Tensor": _fill}
