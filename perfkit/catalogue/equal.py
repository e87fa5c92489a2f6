"""Two tensors compared to one Python bool.

**Synchronises**: `torch.equal` on the device, once; not when both are the same view of the same
storage (ATen Equal.cpp).

**Looks alike, does not**: `torch.eq`, `==` (until something asks for the truth of the result).

**Instead**: keep the comparison on the device, or compare outside the step.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "keep the comparison on the device, or compare outside the step"


def _equal(call: Call) -> Seen | None:
    a, b = call.arg(0, "self"), call.arg(1, "other")
    if not call.on_device(a) or a.shape != b.shape:
        return None
    same = a.data_ptr() == b.data_ptr() and a.stride() == b.stride() and a.numel() > 0
    return None if same else Seen()


OPS = {"aten::equal": _equal}
