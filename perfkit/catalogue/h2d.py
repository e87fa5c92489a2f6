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

from perfkit.catalogue._call import Call, Seen, fills, is_mask, size_of

DIRECTION = "h2d"
FIX = "pin the source (DataLoader pin_memory=True) and copy with non_blocking=True"


_VALUE_FIX = "write a device tensor, or use torch.where or index_fill_ with a number"
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
    moved = [i for i in call.arg(1, "indices", ()) if _travels(call, i)]
    return Seen(len(moved), nbytes=sum(map(size_of, moved)), fix=_INDEX_FIX) if moved else None


def _travels(call: Call, index: object) -> bool:
    # a mask that was a tensor is copied from pinned memory without waiting
    return call.on_host(index) and (call.literal(index) or not is_mask(index))


def _host_value(call: Call) -> Seen | None:
    value = call.arg(2, "values")
    if not (call.on_device(call.arg(0, "self")) and call.on_host(value)) or fills(call):
        return None
    return Seen(
        nbytes=size_of(value),
        fix="write a device tensor, or torch.where / index_fill_ with a number",
    )


def _host_branch(call: Call) -> Seen | None:
    branches = [call.arg(1, "self"), call.arg(2, "other")]
    hosted = [b for b in branches if call.on_host(b)]
    if not hosted or not call.on_device(call.arg(0, "condition")):
        return None
    return Seen(
        len(hosted), nbytes=sum(map(size_of, hosted)), fix="give torch.where a Python number"
    )


def created(source_bytes: int) -> Seen:
    """The answer for host data turned into a device tensor by `torch.tensor` and its likes."""
    return Seen(nbytes=source_bytes, fix=_CREATE_FIX)


def _host_write(call: Call) -> Seen | None:
    index, value = _host_index(call), _host_value(call)
    if index is None or value is None:
        return index or value
    moved = (index.nbytes or 0) + (value.nbytes or 0)
    return Seen(index.count + value.count, nbytes=moved, fix=index.fix)


OPS = {
    "aten::copy_": _copy,
    "aten::index.Tensor": _host_index,
    "aten::index_put_": _host_write,
    "aten::index_put": _host_write,
    "aten::_index_put_impl_": _host_write,
    "aten::where.self": _host_branch,
}
