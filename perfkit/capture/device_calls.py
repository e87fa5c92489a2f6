"""Counts what a block asks of the device: operators that work there, and bytes copied to it.

Under a pretence it listens to the pretence, on a GPU it looks at the calls itself. A dispatch mode: it
sees the thread that entered it and the backward passes it starts, and makes every operator slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from perfkit import pretend
from perfkit.catalogue._call import size_of
from perfkit.detectors.evidence import Hit, listening
from perfkit.detectors.places import Place, origin
from perfkit.pretend import tags
from perfkit.pretend.placement import Plan, _dispatches_itself

Heard = Callable[[str, Place, int, str], None]
"""(operator, where, operators or bytes, what to do instead; "" where nothing is known)."""

SEND_LESS = "send less: narrower numbers, constants once, what the device can compute itself"
_COPIES = ("aten::_to_copy", "aten::copy_", "aten::lift_fresh")


@contextmanager
def device_calls(launched: Heard, copied: Heard) -> Iterator[None]:
    """Report operators on the device and copies to it inside the block.

    An operator is counted once, however many kernels it launches. Views, allocations, copies to the
    device and tensors made of nothing (`torch.zeros`) are not.
    """
    watch = pretend.watch_in_force()
    listener = _Copies(copied, everything=watch is not None)
    with ExitStack() as stack:
        stack.enter_context(listening(listener))
        if watch is not None:
            watch.unwaited.append(listener.unwaited)
            stack.callback(watch.unwaited.remove, listener.unwaited)
        stack.enter_context(_Calls(launched, copied))
        yield


class _Copies:
    """Hears of copies to the device from the detectors.

    Args:
        everything: False on a GPU, where the mode sees the plain copies itself.
    """

    def __init__(self, copied: Heard, everything: bool) -> None:
        self._copied = copied
        self._everything = everything

    def __call__(self, hit: Hit) -> None:
        plain = hit.op.startswith(_COPIES)
        if hit.direction == "h2d" and hit.nbytes is not None and (self._everything or not plain):
            self._copied(hit.op, hit.place, hit.nbytes, hit.fix)

    def unwaited(self, tensor: Tensor) -> None:
        """A copy from pinned memory that nobody waited for."""
        self._copied("aten::_to_copy", origin(2).place, size_of(tensor), SEND_LESS)


class _Calls(TorchDispatchMode):  # type: ignore[misc]
    def __init__(self, launched: Heard, copied: Heard) -> None:
        super().__init__()
        self._launched = launched
        self._copied = copied
        self._watch = pretend.watch_in_force()
        self._plans: dict[Any, Plan] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if types and any(map(_dispatches_itself, types)):
            return NotImplemented  # its own inner operators come by again
        kwargs = kwargs or {}
        plan = self._plans.get(func) or self._plans.setdefault(func, Plan(func))
        if plan.composite:
            # inference_mode skips the decomposition that other modes have had by now
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        before = self._watch.dispatched if self._watch is not None else 0
        out = func(*args, **kwargs)
        if self._watch is not None:
            count = self._watch.dispatched - before
            nbytes = _unwaited_write(plan.name, args, kwargs)
        else:
            nbytes = _sent_to_gpu(plan.name, args, out)
            on_gpu = any(map(_on_gpu, args)) or any(map(_on_gpu, kwargs.values()))
            count = int(plan.works and on_gpu and not nbytes)  # as the pretence counts
        if count:
            self._launched(plan.name, origin(2).place, count, "")
        if nbytes:
            self._copied(plan.name, origin(2).place, nbytes, SEND_LESS)
        return out


def _unwaited_write(name: str, args: Any, kwargs: Any) -> int:
    """Bytes of `copy_` from pinned memory, which is no sync and so no evidence of one."""
    if name != "aten::copy_":
        return 0
    into, source = args[0], args[1]
    free = kwargs.get("non_blocking", args[2] if len(args) > 2 else False) and tags.is_pinned(
        source
    )
    sent = free and tags.on_device(into) and not tags.on_device(source)
    return size_of(source) if sent else 0


def _sent_to_gpu(name: str, args: Any, out: Any) -> int:
    if (
        name == "aten::lift_fresh"
    ):  # torch.tensor(values, device="cuda") copied before any mode looks
        return size_of(out) if out.is_cuda else 0
    if name not in _COPIES:
        return 0
    source = args[1] if name == "aten::copy_" else args[0]
    return size_of(source) if source.device.type == "cpu" and out.is_cuda else 0


def _on_gpu(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_on_gpu, value))
    return isinstance(value, Tensor) and value.device.type == "cuda"


def observable() -> bool:
    """Whether copies to a device can happen here at all: a GPU, or a pretended one."""
    watch = pretend.watch_in_force()
    return not watch.assumed if watch is not None else torch.cuda.is_available()
