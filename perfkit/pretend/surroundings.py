"""The rest of torch under the pretence: autocast, compile, optimizers' grouping, threads, forks."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

import torch
import torch.amp.autocast_mode
from torch import Tensor

from perfkit.catalogue._call import Seen
from perfkit.pretend import tags
from perfkit.pretend.patching import Patches
from perfkit.pretend.placement import Placement
from perfkit.pretend.tensors import CUDA
from perfkit.pretend.watch import Watch


def install(watch: Watch, patches: Patches) -> None:
    """Everything beside tensors, factories and `torch.cuda`."""
    _install_autocast(patches)
    _install_compilers(watch, patches)
    _install_grouping(patches)
    _install_distributed(watch, patches)
    # builds with CUDA would hand RNN weights to cuDNN
    patches.set(torch.backends.cudnn, "is_acceptable", lambda tensor: False)
    # DataParallel on one device: the whole batch goes to it
    patches.set(torch.nn.parallel.comm, "scatter", lambda tensor, *args, **kwargs: (tensor,))


def _install_autocast(patches: Patches) -> None:
    autocast = torch.amp.autocast_mode.autocast
    real_init = autocast.__init__

    def init(self: Any, device_type: str, dtype: Any = None, *args: Any, **kwargs: Any) -> None:
        if device_type == "cuda":
            device_type, dtype = "cpu", dtype or torch.float16
        real_init(self, device_type, dtype, *args, **kwargs)

    patches.set(autocast, "__init__", init)
    for name in ("is_autocast_enabled", "get_autocast_dtype", "set_autocast_enabled", "set_autocast_dtype",
                 "is_autocast_available"):  # fmt: skip
        if hasattr(torch, name):
            patches.set(torch, name, _on_cpu(getattr(torch, name), name))
    patches.set_if_there(torch, "get_autocast_gpu_dtype", lambda: torch.get_autocast_dtype("cpu"))


def _on_cpu(real: Any, name: str) -> Any:
    def call(*args: Any) -> Any:
        if name == "is_autocast_enabled" and not args:
            return real("cpu")
        return real(*("cpu" if arg == "cuda" else arg for arg in args))

    return call


def _install_compilers(watch: Watch, patches: Patches) -> None:
    stance = getattr(torch.compiler, "set_stance", None)
    if stance is not None:
        stance("force_eager")
        patches.then(lambda: stance("default"))
    real_compile = torch.compile

    def compile_(*args: Any, **kwargs: Any) -> Any:
        watch.note(
            "torch.compile",
            "compiled regions run eagerly here: what the compiler removes is still listed",
        )
        return real_compile(*args, **kwargs)

    def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
        watch.note("torch.jit.script", "scripted functions run as Python here")
        return obj

    patches.set(torch, "compile", compile_)
    patches.set(torch.jit, "script", script)


def _install_grouping(patches: Patches) -> None:
    # Optimizers choose their foreach form by the device this C++ function finds.
    name = "_group_tensors_by_device_and_dtype"
    real = getattr(torch._C, name)

    def group(lists: Any, with_indices: bool = False) -> Any:
        groups = real(lists, with_indices)
        renamed = {}
        for (device, dtype), found in groups.items():
            first = next((t for column in found[0] for t in column if isinstance(t, Tensor)), None)
            pretended = CUDA if first is not None and tags.on_device(first) else device
            renamed[pretended, dtype] = found
        return renamed

    patches.set(torch._C, name, group)


def _install_distributed(watch: Watch, patches: Patches) -> None:
    if not torch.distributed.is_available():
        return
    real = torch.distributed.init_process_group

    def init_process_group(backend: Any = None, *args: Any, **kwargs: Any) -> Any:
        if backend is not None and "nccl" in str(backend):
            watch.note("NCCL process group", "collectives run on gloo here and are not judged")
            backend = "gloo"
            state["on_streams"] = True
        kwargs.pop("device_id", None)
        return real(backend, *args, **kwargs)

    state = {"on_streams": False}
    patches.set(torch.distributed, "init_process_group", init_process_group)
    for name in _HOST_COLLECTIVES:
        _watch_collective(watch, patches, name, lambda args, kwargs: True)
    for name in _TENSOR_COLLECTIVES:
        _watch_collective(watch, patches, name, lambda args, kwargs: _staged(state, args, kwargs))


_HOST_COLLECTIVES = (
    "barrier", "monitored_barrier", "all_gather_object", "broadcast_object_list", "gather_object",
    "scatter_object_list",
)  # fmt: skip
_TENSOR_COLLECTIVES = (
    "all_reduce",
    "all_gather",
    "broadcast",
    "reduce",
    "reduce_scatter",
    "all_to_all",
)


def _staged(state: dict[str, bool], args: Any, kwargs: Any) -> bool:
    """gloo sends device tensors through the host, and the call waits for them."""
    tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
    waits = not state["on_streams"] and not kwargs.get("async_op", False)
    return waits and any(tags.on_device(t) for t in tensors)


def _watch_collective(watch: Watch, patches: Patches, name: str, waits: Any) -> None:
    real = getattr(torch.distributed, name, None)
    if real is None:
        return

    def collective(*args: Any, **kwargs: Any) -> Any:
        if waits(args, kwargs):
            watch.publish("collective", f"torch.distributed.{name}", Seen())
        with watch.quietly():
            return real(*args, **kwargs)

    patches.set(torch.distributed, name, collective)
    patches.set_if_there(torch.distributed.distributed_c10d, name, collective)


def install_threads(watch: Watch, patches: Patches) -> None:
    """Dispatch modes are per thread: enter one in each thread that starts; stay silent in forks."""
    real = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

    def bootstrap(self: threading.Thread) -> None:
        if not watch.alive:
            real(self)
            return
        with Placement(watch):
            real(self)

    patches.set(threading.Thread, "_bootstrap_inner", bootstrap)
    watched = weakref.ref(watch)  # at-fork hooks cannot be taken back

    def in_child() -> None:
        living = watched()
        if living is not None:
            living.after_fork()

    os.register_at_fork(after_in_child=in_child)
