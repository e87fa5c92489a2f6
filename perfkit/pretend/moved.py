"""The `cpu` setting: nobody is lied to, and what a parameter or a batch touched counts as on the device.

It answers what a CPU-only program would do if it were moved to CUDA. Placement is an assumption, so
nothing found this way is certain.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from perfkit.pretend import tags
from perfkit.pretend.patching import Patches
from perfkit.pretend.tensors import install_reads, target
from perfkit.pretend.watch import Watch

_base = torch._C.TensorBase


def install(watch: Watch, patches: Patches) -> None:
    """Tag what enters the outermost module, and see the copies to the host that it would make."""
    install_reads(watch, patches)
    _install_modules(watch, patches)
    _install_host_copies(watch, patches)


def _install_modules(watch: Watch, patches: Patches) -> None:
    real = torch.nn.Module.__call__
    depth = threading.local()

    def call(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        if getattr(depth, "inside", False):
            return real(self, *args, **kwargs)
        for tensor in (*self.buffers(), *_tensors_in((args, kwargs))):
            watch.place(tensor, "cuda")
        depth.inside = True
        try:
            return real(self, *args, **kwargs)
        finally:
            depth.inside = False

    patches.set(torch.nn.Module, "__call__", call)


def _tensors_in(value: Any, depth: int = 4) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, dict):
        for item in value.values():
            yield from _tensors_in(item, depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors_in(item, depth - 1)


def _install_host_copies(watch: Watch, patches: Patches) -> None:
    def cpu(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return _copied(watch, self) if tags.on_device(self) else _base.cpu(self, *args, **kwargs)

    def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        device = kwargs.get("device", args[0] if args else None)
        named = isinstance(device, str)  # `.to(device)` follows the program's own choice of device
        if named and target(device) == "cpu" and tags.on_device(self):
            self = _copied(watch, self)
        return _base.to(self, *args, **kwargs)

    patches.set(Tensor, "cpu", cpu)
    patches.set(Tensor, "to", to)


def _copied(watch: Watch, tensor: Tensor) -> Tensor:
    with watch.quietly():
        out = tensor.clone()
    watch.place(out, "cpu")
    watch.judge("aten::copy_", (out, tensor, False), label="aten::_to_copy")
    return out
