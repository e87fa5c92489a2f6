"""Counts per integer value: the number of bins depends on values.

**Synchronises**: `bincount` on the device, twice (it reads the minimum and the maximum, also with
`minlength`; ATen SummaryOps.cu).

**Looks alike, does not**: `histc` with `min` and `max` given, `scatter_add_`.

**Instead**: `torch.zeros(n).scatter_add_(0, ids, ones)` with the known number of bins; it also has a
gradient, which `bincount(weights=)` has not.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "torch.zeros(n, device=...).scatter_add_(0, ids, weights) with the known number of bins"


def _bincount(call: Call) -> Seen | None:
    ids = call.arg(0, "self")
    return Seen(2) if call.on_device(ids) and ids.numel() else None


OPS = {"aten::bincount": _bincount}
