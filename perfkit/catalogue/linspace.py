"""Range ends given as device tensors.

**Synchronises**: `torch.linspace` and `torch.logspace` with 0-d CUDA ends, once per end.

**Looks alike, does not**: the same with Python numbers.

**Instead**: `start + (end - start) * torch.linspace(0, 1, n, device=...)`.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "start + (end - start) * torch.linspace(0, 1, n, device=...)"


def _ends(call: Call) -> Seen | None:
    count = call.on_device(call.arg(0, "start")) + call.on_device(call.arg(1, "end"))
    return Seen(count) if count else None


OPS = {
    f"aten::{name}.{overload}": _ends
    for name in ("linspace", "logspace")
    for overload in ("Tensor_Tensor", "Tensor_Scalar", "Scalar_Tensor")
}
