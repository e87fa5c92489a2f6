"""The pretend device as a tag on storage: every tensor stays a plain CPU tensor.

Views, `.data`, saved tensors and parameters share the storage and so the tag. The key is the address
of the StorageImpl; a weak reference kept beside it stops the address from being used again.

A storage is on the device, *pending* (made inside C++ on whatever device the program is on: it
becomes a device tensor when it meets one), or else on the host. A host storage can be pinned, or a
*literal*: made by torch from a Python list used as an index.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_storage = torch._C.TensorBase.untyped_storage
_Weak = torch.UntypedStorage

device: dict[int, int] = {}
pending: dict[int, int] = {}
pinned: dict[int, int] = {}
literal: dict[int, int] = {}
sparse = False
"""Whether a sparse tensor was met. Its indices are storages of their own, and its views may be copies."""
_next_purge = 20_000


def address(tensor: Tensor) -> int:
    """The key of a tensor's storage. Sparse tensors answer with that of their values; 0 if none."""
    try:
        return _storage(tensor)._cdata
    except (NotImplementedError, RuntimeError):
        return _inner_address(tensor)


def _inner_address(tensor: Tensor) -> int:
    global sparse
    sparse = sparse or tensor.layout != torch.strided
    with torch._C._DisableTorchDispatch():
        if tensor.layout == torch.sparse_coo:
            return int(_storage(tensor._values())._cdata)
        if tensor.layout in (
            torch.sparse_csr,
            torch.sparse_csc,
            torch.sparse_bsr,
            torch.sparse_bsc,
        ):
            return int(_storage(tensor.values())._cdata)
    return 0


def on_device(tensor: Tensor) -> bool:
    return address(tensor) in device


def is_pinned(tensor: Tensor) -> bool:
    return address(tensor) in pinned


def put(tags: dict[int, int], tensor: Tensor) -> None:
    """Tag the storage of a tensor."""
    key = address(tensor)
    if key and key not in tags:
        tags[key] = _weak(tensor)
        if len(device) + len(pending) + len(pinned) + len(literal) > _next_purge:
            purge()


def remove(tags: dict[int, int], tensor: Tensor) -> None:
    """Take the tag away; nothing happens where there is none."""
    drop(tags, address(tensor))


def drop(tags: dict[int, int], key: int) -> None:
    """Take the tag with this key away; nothing happens where there is none."""
    weak = tags.pop(key, None)
    if weak is not None:
        _Weak._free_weak_ref(weak)


def adopt(key: int) -> None:
    """A pending storage met a device tensor: it is on the device."""
    device.setdefault(key, pending.pop(key))


def _weak(tensor: Tensor) -> int:
    try:
        return _storage(tensor)._weak_ref()
    except (NotImplementedError, RuntimeError):
        with torch._C._DisableTorchDispatch():
            values: Any = tensor._values() if tensor.layout == torch.sparse_coo else tensor.values()
        return _storage(values)._weak_ref()


def purge() -> None:
    """Forget storages that nobody holds any more."""
    global _next_purge
    for tags in (device, pending, pinned, literal):
        for key in [key for key, weak in tags.items() if _Weak._expired(weak)]:
            _Weak._free_weak_ref(tags.pop(key))
    _next_purge = 2 * (len(device) + len(pending) + len(pinned)) + 20_000


def clear() -> None:
    """Forget everything."""
    global sparse
    sparse = False
    for tags in (device, pending, pinned, literal):
        for weak in tags.values():
            _Weak._free_weak_ref(weak)
        tags.clear()
