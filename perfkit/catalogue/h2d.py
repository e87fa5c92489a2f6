"""A blocking copy from host to device.

**Synchronises**: `.to("cuda")`, `.cuda()` and `copy_` without `non_blocking=True`, from pageable and
from pinned memory; `torch.tensor(data, device="cuda")`; indexing a CUDA tensor by a CPU or Python
list index (ATen Copy.cu, IndexingUtils.h).

**Looks alike, does not**: pinned memory with `non_blocking=True`; factories on the device
(`torch.full`, `torch.arange(..., device=...)`); 0-d CPU tensors mixed into CUDA arithmetic; a CPU
boolean mask as an index.

**Instead**: `pin_memory=True` in the DataLoader and `non_blocking=True` in the copy; make constants
once, on the device.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen, is_mask, size_of

DIRECTION = "h2d"
FIX = "pin the source (DataLoader pin_memory=True) and copy with non_blocking=True"


_INDEX_FIX = "make the index tensor on the device once and reuse it"
_CREATE_FIX = (
    "make it on the device (torch.full, zeros, arange with device=), or once outside the step"
)


def _copy(call: Call) -> Seen | None:
    into, source = call.arg(0, "self"), call.arg(1, "src")
    if not (call.on_device(into) and call.on_host(source)) or source.numel() == 0:
        return None
    if call.arg(2, "non_blocking", False):
        return None  # pinned: no wait; pageable: see h2d_pageable_async
    return Seen(nbytes=size_of(source))


def _host_index(call: Call) -> Seen | None:
    if not call.on_device(call.arg(0, "self")):
        return None
    indices = [i for i in call.arg(1, "indices", ()) if call.on_host(i) and not is_mask(i)]
    if not indices:
        return None
    return Seen(len(indices), nbytes=sum(map(size_of, indices)), fix=_INDEX_FIX)


def created(source_bytes: int) -> Seen:
    """The answer for host data turned into a device tensor by `torch.tensor` and its likes."""
    return Seen(nbytes=source_bytes, fix=_CREATE_FIX)


OPS = {
    "aten::copy_": _copy,
    "aten::index.Tensor": _host_index,
    "aten::index_put_": _host_index,
    "aten::index_put": _host_index,
    "aten::_index_put_impl_": _host_index,
}
