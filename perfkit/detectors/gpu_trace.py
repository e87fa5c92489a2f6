"""torch's GPU-trace callbacks as a witness: called before each wait, with the Python stack intact.

They see device, stream and event synchronisation that goes through c10, which includes
`torch.cuda.synchronize` and `Event.synchronize`; not what thrust, cuSOLVER or NCCL wait for.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

_callbacks: list[Callable[[str], None]] = []
_registered = False


def available() -> bool:
    """torch 2.1 and later built with CUDA have the callbacks."""
    return torch.cuda.is_available() and hasattr(torch._C, "_activate_gpu_trace")


class Waits:
    """Calls `witness(what)` before each wait while entered; `what` is device, stream or event."""

    def __init__(self, witness: Callable[[str], None]) -> None:
        self._witness = witness

    def __enter__(self) -> Waits:
        _register_once()
        _callbacks.append(self._witness)
        return self

    def __exit__(self, *exc: object) -> None:
        _callbacks.remove(self._witness)


def _register_once() -> None:
    # torch offers no way to take a callback back, so one per event is registered for good
    global _registered
    if _registered or not available():
        return
    from torch.cuda import _gpu_trace

    torch._C._activate_gpu_trace()
    _gpu_trace.register_callback_for_device_synchronization(lambda *_: _tell("device"))
    _gpu_trace.register_callback_for_stream_synchronization(lambda *_: _tell("stream"))
    _gpu_trace.register_callback_for_event_synchronization(lambda *_: _tell("event"))
    _registered = True


def _tell(what: str) -> None:
    for callback in tuple(_callbacks):
        callback(what)
