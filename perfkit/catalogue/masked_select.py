"""Elements under a mask, packed.

**Synchronises**: `torch.masked_select` on the device, always: the size of the result depends on values.

**Looks alike, does not**: `masked_fill` with a Python scalar, `masked_scatter`, `torch.where`.

**Instead**: `torch.where(mask, x, neutral)` followed by the reduction that was wanted.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "torch.where(mask, x, neutral) followed by the reduction that was wanted"


def _select(call: Call) -> Seen | None:
    on_device = call.on_device(call.arg(0, "self")) or call.on_device(call.arg(1, "mask"))
    return Seen() if on_device else None


OPS = {"aten::masked_select": _select}
