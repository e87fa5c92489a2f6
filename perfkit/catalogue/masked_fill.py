"""A fill whose value is itself a tensor on the device.

**Synchronises**: `masked_fill(mask, value)` with a 0-d CUDA `value`: the kernel wants a number and
calls `.item()`.

**Looks alike, does not**: `masked_fill(mask, 1.0)`, a 0-d value on the CPU, `torch.where`.

**Instead**: `torch.where(mask, value, x)`, which takes the value from the device.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "torch.where(mask, value, x) takes the value from the device"


def _fill(call: Call) -> Seen | None:
    return Seen() if call.on_device(call.arg(2, "value")) else None


OPS = {"aten::masked_fill_.Tensor": _fill, "aten::masked_fill.Tensor": _fill}
