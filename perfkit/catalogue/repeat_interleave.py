"""Repeats given as a tensor, the total unknown to the host.

**Synchronises**: `repeat_interleave` with a CUDA `repeats` and no `output_size`, twice: it reads the
total, and whether all repeats are non-negative (ATen Repeat.cpp).

**Looks alike, does not**: the same with `output_size=`, and integer repeats.

**Instead**: pass `output_size=` when the total is known on the host (a sum of Python lengths, or the
number of rows of the packed tensor).
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "pass output_size= (the total is usually the packed tensor's row count)"


def _repeats(call: Call) -> Seen | None:
    without_size = call.arg(1, "output_size") is None
    return Seen(2) if without_size and call.on_device(call.arg(0, "repeats")) else None


OPS = {"aten::repeat_interleave.Tensor": _repeats}
