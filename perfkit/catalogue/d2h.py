"""A copy from device to host.

**Synchronises**: `.cpu()`, `.to("cpu")`, `copy_` into a CPU tensor; also with `non_blocking=True` when
the destination is pageable.

**Looks alike, does not**: `non_blocking=True` into pinned memory, followed by an event.

**Instead**: fetch later, into a pinned buffer with `non_blocking=True`, and wait on an event when the
values are needed; or fetch once for many steps.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen, size_of

DIRECTION = "d2h"
FIX = "fetch once for many steps, or into a pinned buffer with non_blocking=True and an event"


def _copy(call: Call) -> Seen | None:
    into, source = call.arg(0, "self"), call.arg(1, "src")
    if not (call.on_host(into) and call.on_device(source)) or source.numel() == 0:
        return None
    if call.arg(2, "non_blocking", False) and call.pinned(into):
        return None
    return Seen(nbytes=size_of(source))


OPS = {"aten::copy_": _copy}
