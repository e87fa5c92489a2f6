"""`torch.cuda` under the pretence: one device, streams and events that only remember explicit waits."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import torch

from perfkit.catalogue._call import Seen
from perfkit.pretend.patching import Patches
from perfkit.pretend.tensors import CUDA, target
from perfkit.pretend.watch import Watch

NAME = "perfkit pretend CUDA device"
_MEMORY = 80 * 2**30
_CAPABILITY = (8, 0)

_PROPERTIES = SimpleNamespace(
    name=NAME, major=_CAPABILITY[0], minor=_CAPABILITY[1], total_memory=_MEMORY, multi_processor_count=108,
    is_integrated=0, is_multi_gpu_board=0, warp_size=32, max_threads_per_multi_processor=2048,
    regs_per_multiprocessor=65536, shared_memory_per_block=49152, shared_memory_per_block_optin=166912,
    shared_memory_per_multiprocessor=167936, L2_cache_size=40 * 2**20, gcnArchName=NAME, uuid="pretend",
)  # fmt: skip

_CONSTANTS: dict[str, Any] = {
    "is_available": True, "is_initialized": True, "device_count": 1, "current_device": 0,
    "get_device_name": NAME, "get_device_capability": _CAPABILITY, "get_device_properties": _PROPERTIES,
    "is_bf16_supported": True, "is_tf32_supported": True, "get_arch_list": ["sm_80"],
    "can_device_access_peer": False, "is_current_stream_capturing": False, "memory_summary": "",
    "get_sync_debug_mode": 0, "utilization": 0, "current_blas_handle": 0, "memory_snapshot": [],
    "mem_get_info": (_MEMORY, _MEMORY), "get_rng_state_all": [], "initial_seed": 0,
}  # fmt: skip
_NOTHING = (
    "init", "_lazy_init", "set_device", "ipc_collect", "manual_seed", "manual_seed_all", "seed", "seed_all",
    "reset_peak_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached",
    "reset_accumulated_memory_stats", "set_per_process_memory_fraction", "set_sync_debug_mode",
    "set_stream", "set_rng_state_all", "_sleep", "check_error",
)  # fmt: skip
_MEMORY_READINGS = (
    "memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved",
    "memory_cached", "max_memory_cached",
)  # fmt: skip


def install(watch: Watch, patches: Patches) -> None:
    """Make `torch.cuda` and `torch.accelerator` answer as if there were one device."""
    cuda = torch.cuda
    for name, value in _CONSTANTS.items():
        patches.set_if_there(cuda, name, _always(value))
    for name in _NOTHING:
        patches.set_if_there(cuda, name, _always(None))
    for name in _MEMORY_READINGS:
        patches.set_if_there(cuda, name, _always(0))
    patches.set(cuda, "memory_stats", lambda device=None: defaultdict(int))
    patches.set(cuda, "get_rng_state", lambda device="cuda": torch.get_rng_state())
    patches.set(cuda, "set_rng_state", lambda state, device="cuda": None)
    patches.set(cuda, "default_generators", (torch.default_generator,))

    def synchronize(device: Any = None) -> None:
        watch.publish("synchronize", "torch.cuda.synchronize", Seen())

    def empty_cache() -> None:
        watch.publish("empty_cache", "torch.cuda.empty_cache", Seen())

    patches.set(cuda, "synchronize", synchronize)
    patches.set(cuda, "empty_cache", empty_cache)
    _install_streams(watch, patches)
    _install_generator(patches)
    _install_accelerator(patches, synchronize, empty_cache)
    _install_nvtx(patches)
    _install_graphs(watch, patches)


def _install_graphs(watch: Watch, patches: Patches) -> None:
    class CUDAGraph:
        """A replay would have to run what was captured, which only a GPU can do."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise NotImplementedError(
                "CUDA graphs cannot be imitated without a GPU: guard the capture with a flag of your "
                "own, or profile on a GPU"
            )

    def make_graphed_callables(callables: Any, *args: Any, **kwargs: Any) -> Any:
        watch.note("torch.cuda.make_graphed_callables", "runs eagerly here")
        return callables

    patches.set(torch.cuda, "CUDAGraph", CUDAGraph)
    patches.set(torch.cuda, "make_graphed_callables", make_graphed_callables)


def _always(value: Any) -> Any:
    def answer(*args: Any, **kwargs: Any) -> Any:
        return value

    return answer


def _install_streams(watch: Watch, patches: Patches) -> None:
    class Event:
        """`torch.cuda.Event`: host clock for timing, waits are recorded."""

        def __init__(
            self, enable_timing: bool = False, blocking: bool = False, **kwargs: Any
        ) -> None:
            self._at = 0.0

        def record(self, stream: Any = None) -> None:
            self._at = time.perf_counter()

        def wait(self, stream: Any = None) -> None: ...

        def query(self) -> bool:
            return True

        def elapsed_time(self, end: Event) -> float:
            return (end._at - self._at) * 1e3

        def synchronize(self) -> None:
            watch.publish("synchronize", "torch.cuda.Event.synchronize", Seen())

    class Stream:
        """`torch.cuda.Stream`: everything runs in order anyway, explicit waits are recorded."""

        def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any) -> None:
            self.device, self.priority, self.cuda_stream, self.stream_id = CUDA, priority, 0, 0

        def synchronize(self) -> None:
            watch.publish("synchronize", "torch.cuda.Stream.synchronize", Seen())

        def wait_stream(self, stream: Any) -> None: ...

        def wait_event(self, event: Any) -> None: ...

        def record_event(self, event: Any = None) -> Any:
            event = event or Event()
            event.record(self)
            return event

        def query(self) -> bool:
            return True

        def is_capturing(self) -> bool:
            return False

        def __enter__(self) -> Stream:
            return self

        def __exit__(self, *exc: object) -> None: ...

    only = Stream()
    patches.set(torch.cuda, "Event", Event)
    patches.set(torch.cuda, "Stream", Stream)
    patches.set(torch.cuda, "ExternalStream", Stream)
    for name in ("current_stream", "default_stream"):
        patches.set(torch.cuda, name, _always(only))
    for name in ("stream", "device", "device_of", "_DeviceGuard"):
        patches.set_if_there(torch.cuda, name, _no_op_context(name))


def _no_op_context(name: str) -> type:
    def init(self: Any, *args: Any, **kwargs: Any) -> None: ...

    def leave(self: Any, *exc: Any) -> None: ...

    return type(name, (), {"__init__": init, "__enter__": lambda self: self, "__exit__": leave})


def _install_generator(patches: Patches) -> None:
    real = torch._C.Generator

    class Generator(real):  # type: ignore[misc, valid-type]
        """A CPU generator that says it is on the device it was asked for; must stay a class."""

        _pretended: torch.device | None = None

        def __new__(cls, device: Any = "cpu") -> Any:
            self = real.__new__(cls, "cpu")
            if target(device) == "cuda":
                self._pretended = CUDA
            return self

        @property
        def device(self) -> torch.device:
            return self._pretended or torch.device("cpu")

    patches.set(torch, "Generator", Generator)


def _install_accelerator(patches: Patches, synchronize: Any, empty_cache: Any) -> None:
    accelerator = getattr(torch, "accelerator", None)
    if accelerator is None:
        return
    answers = {
        "is_available": True, "device_count": 1, "current_device_index": 0, "current_device_idx": 0,
        "current_accelerator": torch.device("cuda"), "memory_allocated": 0, "memory_reserved": 0,
        "max_memory_allocated": 0, "max_memory_reserved": 0, "set_device_index": None,
        "set_device_idx": None, "set_stream": None, "reset_peak_memory_stats": None,
    }  # fmt: skip
    for name, value in answers.items():
        patches.set_if_there(accelerator, name, _always(value))
    patches.set_if_there(accelerator, "synchronize", synchronize)
    patches.set_if_there(accelerator, "empty_cache", empty_cache)
    patches.set_if_there(
        accelerator, "current_stream", lambda device=None: torch.cuda.current_stream()
    )


def _install_nvtx(patches: Patches) -> None:
    @contextmanager
    def range_(*args: Any, **kwargs: Any) -> Iterator[None]:
        with nullcontext():
            yield

    patches.set(torch.cuda.nvtx, "range", range_)
    for name in ("range_push", "range_pop", "range_start", "range_end", "mark"):
        patches.set_if_there(torch.cuda.nvtx, name, _always(0))
