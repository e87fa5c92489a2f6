"""Segment reductions with checked lengths.

**Synchronises**: `torch.segment_reduce(lengths=...)` without `unsafe=True`: it reads the smallest
length and whether the lengths sum to the data (ATen SegmentReduce.cpp).

**Looks alike, does not**: the same with `unsafe=True` or `offsets=`.

**Instead**: `unsafe=True` once the lengths are known to be right, or `scatter_add_` / `index_add_`.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "unsafe=True once the lengths are known to be right, or index_add_"


def _segments(call: Call) -> Seen | None:
    checked = call.on_device(call.arg(2, "lengths")) and not call.arg(6, "unsafe", False)
    return Seen(2, certain=False) if checked else None


OPS = {"aten::segment_reduce": _segments}
