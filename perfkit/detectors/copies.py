"""Copies between host and device, seen at the tensor methods that make them.

`aten::copy_` also serves every cast and `contiguous`, so interposing it would tax each of them. The
methods cost a comparison unless the device really changes. Copies made inside C++ are left to the
catalogue's own rules (a host index) and to the witnesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

Run = Callable[[str, Callable[[], Any], Callable[[Any], tuple[Any, ...]]], Any]
"""(operator, make the copy, result -> arguments of `aten::copy_`) -> result."""


@contextmanager
def host_device_copies(run: Run) -> Iterator[None]:
    """Route `.to`, `.cuda`, `.cpu` and `.copy_` that cross devices through `run`."""
    base = torch._C.TensorBase

    def crossing(real: Callable[..., Any], blocking_at: int) -> Callable[..., Any]:
        def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            if not _leaves(self, args, kwargs):
                return real(self, *args, **kwargs)
            asynchronous = bool(kwargs.get("non_blocking", _flag(args, blocking_at)))
            return run(
                "aten::_to_copy",
                lambda: real(self, *args, **kwargs),
                lambda out: (out, self, asynchronous),
            )

        return method

    def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
        if self.is_cuda == src.is_cuda:
            return base.copy_(self, src, non_blocking)
        copied: Tensor = run(
            "aten::copy_",
            lambda: base.copy_(self, src, non_blocking),
            lambda out: (self, src, non_blocking),
        )
        return copied

    replaced = {
        "to": crossing(base.to, 1),
        "cuda": crossing(base.cuda, 1),
        "cpu": crossing(base.cpu, 9),
        "copy_": copy_,
    }
    for name, method in replaced.items():
        setattr(Tensor, name, method)
    try:
        yield
    finally:
        for name in replaced:
            delattr(Tensor, name)


def _leaves(tensor: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the call moves the tensor between host and device. `.cpu()` and `.cuda()` say so by name."""
    wanted = kwargs.get("device", args[0] if args else None)
    if isinstance(wanted, torch.dtype):
        return False
    if isinstance(wanted, Tensor):
        return wanted.is_cuda != tensor.is_cuda
    if wanted is None or isinstance(wanted, bool):
        return True  # .cpu() or .cuda(): the rule looks at where the result lies
    return (torch.device(wanted).type == "cuda") != tensor.is_cuda


def _flag(args: tuple[Any, ...], position: int) -> bool:
    """`non_blocking` given by position: the first bool from there on (a dtype may come before it)."""
    return next((value for value in args[position:] if isinstance(value, bool)), False)
