"""A boolean mask used as an index.

**Synchronises**: `x[mask]`; `x[mask] = tensor` with more than one element or on the device; their
gradients in backward again. The mask is turned into indices by `nonzero`, one per mask
(ATen expandTensors).

**Looks alike, does not**: `x[mask] = 1.0` (becomes `masked_fill_`), `masked_fill` with a Python
scalar, a mask that lies on the CPU (copied from pinned memory without waiting).

**Instead**: `torch.where(mask, a, b)`, or multiply by the mask and divide by its sum for a masked mean.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen, is_mask

DIRECTION = "d2h"
FIX = "torch.where(mask, a, b), or multiply by the mask and divide by mask.sum()"


def _masks(call: Call) -> int:
    return sum(call.on_device(i) and is_mask(i) for i in call.arg(1, "indices", ()))


def _read(call: Call) -> Seen | None:
    masks = _masks(call)
    return Seen(masks) if masks else None


def _write(call: Call) -> Seen | None:
    masks = _masks(call)
    value, accumulate = call.arg(2, "values"), bool(call.arg(3, "accumulate", False))
    given = [i for i in call.arg(1, "indices", ()) if i is not None]
    if not masks or (
        len(given) == 1 and not accumulate and value.numel() == 1 and call.on_host(value)
    ):
        return None
    return Seen(masks)


OPS = {
    "aten::index.Tensor": _read,
    "aten::index_put_": _write,
    "aten::index_put": _write,
    "aten::_index_put_impl_": _write,
    "aten::_unsafe_index.Tensor": _read,
}
