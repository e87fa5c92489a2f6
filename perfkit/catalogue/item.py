"""One element read by the host.

**Synchronises**: `.item()`, `int()`, `float()`, `bool()`, `if t`, `while t`, `assert t`, `t in x`,
`range(t)`, `lst[t]`, `x[t0]` and `x[:t0]` with a 0-d tensor, the builtins `max`, `min` and `sum` over
elements, `math.*(t)`, f-strings of 0-d values, scalar arguments given as 0-d tensors: all end in
`_local_scalar_dense`, which copies one element and waits for the stream (ATen CUDAScalar.cu).

**Looks alike, does not**: the same on CPU tensors (`lengths.max().item()`, Adam's `step`), `.shape`,
`len(t)`, `.numel()`, `.dim()`.

**Instead**: keep the value on the device (`torch.where`, masked arithmetic), gather several values
into one tensor and read them once, or read only every N steps.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "keep the value on the device (torch.where, masked arithmetic), or read every N steps"


def _read(call: Call) -> Seen | None:
    if not call.on_device(call.arg(0, "self")):
        return None
    return Seen(op="aten::item", nbytes=int(call.arg(0, "self").element_size()))


OPS = {"aten::_local_scalar_dense": _read}
