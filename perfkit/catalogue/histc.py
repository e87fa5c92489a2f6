"""A histogram whose range is read from the data.

**Synchronises**: `torch.histc` without `min` and `max`, twice.

**Looks alike, does not**: `histc` with a range.

**Instead**: give `min` and `max`.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "give min= and max="


def _histc(call: Call) -> Seen | None:
    ranged = call.arg(2, "min", 0) != call.arg(3, "max", 0)
    return None if ranged or not call.on_device(call.arg(0, "self")) else Seen(2)


OPS = {"aten::histc": _histc}
