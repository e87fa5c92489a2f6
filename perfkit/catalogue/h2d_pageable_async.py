"""`non_blocking=True` from memory that is not pinned.

**Synchronises**: not with the stream; but the host itself stages the bytes through the driver's
pinned buffer, so that the call lasts as long as the copy. Marked as not certain.

**Looks alike, does not**: `non_blocking=True` from pinned, dense memory.

**Instead**: pin the source: `DataLoader(pin_memory=True)`, or a pinned buffer that is reused.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen, size_of

DIRECTION = "h2d"
FIX = "pin the source: DataLoader(pin_memory=True), or a pinned buffer that is reused"


def _copy(call: Call) -> Seen | None:
    into, source = call.arg(0, "self"), call.arg(1, "src")
    if not (call.on_device(into) and call.on_host(source) and call.arg(2, "non_blocking", False)):
        return None
    if source.numel() == 0 or call.pinned(source):
        return None
    return Seen(certain=False, nbytes=size_of(source))


OPS = {"aten::copy_": _copy}
