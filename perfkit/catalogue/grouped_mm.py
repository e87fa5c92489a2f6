"""
Grouped matrix multiplication away from its one fast kernel.

**Synchronises**: `torch._grouped_mm` (and `F.grouped_mm`) with `offs`, except in bfloat16 on SM90 and
SM100: the fallback copies the offsets to the host and loops (ATen GroupedMMUtils.h). Not certain in
bfloat16, where it depends on the card.

**Looks alike, does not**: the same in bfloat16 on an H100 or B200.

**Instead**: bfloat16 on SM90 and later; on older cards sort by group and pad to equal sizes, then `bmm`.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "bfloat16 on SM90 or later; on older cards sort by group, pad to equal sizes and use bmm"


def _offsets(call: Call) -> Seen | None:
    if not call.on_device(call.arg(2, "offs")):
        return None
    return Seen(certain=str(call.arg(0, "self").dtype) != "torch.bfloat16")


OPS = {"aten::_grouped_mm": _offsets}
