"""A boolean mask used as an index.

**Synchronises**: `x[mask]`; `x[mask] = tensor` with more than one element or on the device; their
gradients in backward again. The mask is turned into indices by `nonzero`, one per mask
(ATen expandTensors).

**Looks alike, does not**: `x[mask] = 1.0` (becomes `masked_fill_`), `masked_fill` with a Python
scalar, a mask that lies on the CPU (copied from pinned memory without waiting).

**Instead**: `torch.where(mask, a, b)`, or multiply by the mask and divide by its sum for a masked mean.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen, fills, is_mask

DIRECTION = "d2h"
FIX = "torch.where(mask, a, b), or multiply by the mask and divide by mask.sum()"


def _masks(call: Call) -> int:
    masks = [i for i in call.arg(1, "indices", ()) if is_mask(i)]
    if not call.on_device(call.arg(0, "self")):
        return 0
    return sum(call.on_device(mask) or call.literal(mask) for mask in masks)


def _read(call: Call) -> Seen | None:
    masks = _masks(call)
    return Seen(masks) if masks else None


def _write(call: Call) -> Seen | None:
    masks = _masks(call)
    return Seen(masks) if masks and not fills(call) else None


OPS = {
    "aten::index.Tensor": _read,
    "aten::index_put_": _write,
    "aten::index_put": _write,
    "aten::_index_put_impl_": _write,
    "aten::_unsafe_index.Tensor": _read,
}
