"""One element read by the host.

**Synchronises**: `.item()`, `int()`, `float()`, `bool()`, `if t`, `while t`, `assert t`, `t in x`,
`range(t)`, `lst[t]`, `x[t0]` and `x[:t0]` with a 0-d tensor, the builtins `max` and `min` over
elements, `math.*(t)`, f-strings of 0-d values, scalar arguments given as 0-d tensors, the gradients
of `prod(dim)` and `cumprod`: all end in `_local_scalar_dense`, which copies one element and waits
for the stream (ATen CUDAScalar.cu).

**Looks alike, does not**: the same on CPU tensors (`lengths.max().item()`, Adam's `step`), `.shape`,
`len(t)`, `.numel()`, `.dim()`; the builtin `sum`, which adds tensors.

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


def _fill(call: Call) -> Seen | None:
    # devices differ, so that the kernel takes the value as a number (ATen Fill.cpp)
    into, value = call.arg(0, "self"), call.arg(1, "value")
    return Seen(op="aten::item") if call.on_host(into) and call.on_device(value) else None


def _sorter(call: Call) -> Seen | None:
    # bounds of the sorter are checked on the host (ATen BucketizationUtils.h)
    sorter = call.arg(5, "sorter")
    return Seen(2) if call.on_device(sorter) else None


OPS = {
    "aten::_local_scalar_dense": _read,
    "aten::fill_.Tensor": _fill,
    "aten::searchsorted.Tensor": _sorter,
}


def _product(call: Call) -> Seen | None:
    return Seen(op="aten::item") if call.on_device(call.arg(0, "self")) else None


# their gradients ask whether there are zeros (prod_backward, cumprod_backward in FunctionsManual.cpp)
BACKWARD = {"aten::prod.dim_int": _product, "aten::cumprod": _product}
