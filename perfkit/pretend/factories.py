"""New tensors under the pretence: `device="cuda"` in factories, default devices, loading files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.utils._device as device_context
from torch import Tensor

from perfkit.catalogue._call import Seen
from perfkit.catalogue.h2d import created
from perfkit.pretend import tags
from perfkit.pretend.patching import Patches
from perfkit.pretend.tensors import move, target, where_is
from perfkit.pretend.watch import Watch, Where

_FROM_DATA = ("tensor", "as_tensor", "asarray")
_FILLED = (
    "empty", "empty_permuted", "empty_strided", "ones", "arange", "bartlett_window", "blackman_window",
    "eye", "full", "hamming_window", "hann_window", "kaiser_window", "linspace", "logspace", "rand",
    "randn", "randint", "randperm", "range", "zeros", "scalar_tensor", "tril_indices", "triu_indices",
    "normal", "sparse_coo_tensor", "sparse_compressed_tensor", "sparse_csr_tensor", "sparse_csc_tensor",
    "sparse_bsr_tensor", "sparse_bsc_tensor", "from_file",
)  # fmt: skip
_LIKE = (
    "zeros_like",
    "ones_like",
    "empty_like",
    "full_like",
    "rand_like",
    "randn_like",
    "randint_like",
)
_SCAN_AT_MOST = 10_000


class DefaultDevice:
    """The default device the program chose, by `torch.set_default_device` or `with torch.device`.

    Both push a `DeviceContext` on the function-mode stack, the second one from C++.
    """

    @property
    def where(self) -> Where:
        chosen: Where = "cpu"
        for position in range(torch._C._len_torch_function_stack()):
            mode = torch._C._get_function_stack_at(position)
            if isinstance(mode, device_context.DeviceContext):
                chosen = getattr(mode, "pretended", None) or "cpu"
        return chosen


def install(watch: Watch, patches: Patches) -> None:
    """Make factories take `device="cuda"`."""
    default = DefaultDevice()
    _install_default_device(default, patches)
    for name in _FILLED:
        if hasattr(torch, name):
            patches.set(torch, name, _filled(watch, default, getattr(torch, name)))
    for name in _LIKE:
        patches.set(torch, name, _like(watch, getattr(torch, name)))
    for name in _FROM_DATA:
        patches.set(torch, name, _from_data(watch, default, name, getattr(torch, name)))
    patches.set(torch.fft, "fftfreq", _filled(watch, default, torch.fft.fftfreq))
    patches.set(torch.fft, "rfftfreq", _filled(watch, default, torch.fft.rfftfreq))
    _install_load(watch, patches)
    _install_storage_classes(watch, patches)


def _filled(watch: Watch, default: DefaultDevice, real: Callable[..., Any]) -> Callable[..., Any]:
    def factory(*args: Any, **kwargs: Any) -> Any:
        device = kwargs.get("device")
        where = default.where if device is None else target(device)
        if where is None:  # meta and the like are none of our business
            return real(*args, **kwargs)
        if device is not None:
            kwargs["device"] = "cpu"
        pin = kwargs.pop("pin_memory", False)
        out_given = isinstance(kwargs.get("out"), Tensor)
        with watch.ambient(where):
            out = real(*args, **kwargs)
        if not out_given and not _inherits(args, device):
            watch.place(out, where)
        if pin:
            tags.put(tags.pinned, out)
        return out

    factory.__name__ = getattr(real, "__name__", "factory")
    factory.__doc__ = real.__doc__
    return factory


def _inherits(args: tuple[Any, ...], device: Any) -> bool:
    # torch.normal(mean, std) lies where its arguments lie
    return device is None and any(isinstance(a, Tensor) and a.dim() for a in args)


def _like(watch: Watch, real: Callable[..., Any]) -> Callable[..., Any]:
    def factory(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        where = target(kwargs.get("device"))
        if where is not None:
            kwargs["device"] = None
        pin = kwargs.pop("pin_memory", False)
        out = real(self, *args, **kwargs)
        if where is not None:
            watch.place(out, where)
        if pin:
            tags.put(tags.pinned, out)
        return out

    return factory


def _from_data(
    watch: Watch, default: DefaultDevice, name: str, real: Callable[..., Any]
) -> Callable[..., Any]:
    def factory(data: Any, *args: Any, **kwargs: Any) -> Any:
        device = kwargs.pop("device", None)
        where = default.where if device is None else target(device)
        if where is None:
            return real(data, *args, device=device, **kwargs)
        if isinstance(data, Tensor):
            return _from_tensor(
                watch, name, real, data, where if device is not None else None, args, kwargs
            )
        pin = kwargs.pop("pin_memory", False)
        elements = _device_elements(data)
        if elements:
            watch.publish("tensor_of_scalars", f"torch.{name}", Seen(elements))
        with watch.quietly(), watch.ambient(where):
            out = real(data, *args, **kwargs)
        watch.place(out, where)
        if pin:
            tags.put(tags.pinned, out)
        if where == "cuda" and out.numel():
            watch.publish("h2d", "aten::_to_copy", created(out.numel() * out.element_size()))
        return out

    factory.__name__ = name
    factory.__doc__ = real.__doc__
    return factory


def _from_tensor(
    watch: Watch,
    name: str,
    real: Callable[..., Any],
    data: Tensor,
    where: Where | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Tensor:
    here = where_is(data)
    with watch.quietly():
        out: Tensor = real(data, *args, **kwargs)
    if out is not data and tags.address(out) != tags.address(data):
        watch.place(out, here)
    if where is None or where == here:
        return out
    requires_grad = bool(kwargs.get("requires_grad"))
    moved = move(watch, out.detach() if requires_grad else out, where)
    return moved.requires_grad_() if requires_grad else moved


def _device_elements(data: Any) -> int:
    """How many elements of nested lists are device tensors' (each is read to the host)."""
    if isinstance(data, Tensor):
        return data.numel() if tags.on_device(data) else 0
    if not isinstance(data, (list, tuple)):
        return 0
    return sum(_device_elements(item) for item in data[:_SCAN_AT_MOST])


def _install_default_device(default: DefaultDevice, patches: Patches) -> None:
    # The real context compares functions with a cached set: fill it before they are replaced.
    device_context._device_constructors()
    context = device_context.DeviceContext
    real_init = context.__init__

    def init(self: Any, device: Any) -> None:
        self.pretended = target(device)
        real_init(self, "cpu" if self.pretended == "cuda" else device)

    patches.set(context, "__init__", init)
    cuda = torch.device("cuda", 0)
    real_default = torch.get_default_device
    patches.set(
        torch, "get_default_device", lambda: cuda if default.where == "cuda" else real_default()
    )


def _install_load(watch: Watch, patches: Patches) -> None:
    real = torch.load

    def load(f: Any, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        storages: list[Any] = []

        def locate(storage: Any, location: str) -> Any:
            wanted = map_location
            if isinstance(wanted, dict):
                wanted = wanted.get(location, location)
            if callable(wanted):
                wanted = location
            if target(wanted if wanted is not None else location) == "cuda":
                storages.append(storage)
            return storage

        with watch.ambient("cpu"):
            out = real(f, locate, *args, **kwargs)
        for storage in storages:
            plain = (
                storage if isinstance(storage, torch.UntypedStorage) else storage._untyped_storage
            )
            watch.place(torch.empty(0, dtype=torch.uint8).set_(plain), "cuda")
            watch.publish("h2d", "aten::copy_", Seen(nbytes=plain.nbytes()))
        return out

    patches.set(torch, "load", load)


def _install_storage_classes(watch: Watch, patches: Patches) -> None:
    """`torch.cuda.FloatTensor(...)` and its likes: callable, and right in isinstance."""
    for name in (
        "Float",
        "Double",
        "Half",
        "BFloat16",
        "Int",
        "Long",
        "Short",
        "Char",
        "Byte",
        "Bool",
    ):
        plain = getattr(torch, f"{name}Tensor")
        patches.set(torch.cuda, f"{name}Tensor", _legacy_class(watch, f"{name}Tensor", plain))


def _legacy_class(watch: Watch, name: str, plain: Any) -> Any:
    class OnDevice(type):
        def __call__(cls, *args: Any) -> Tensor:
            with watch.quietly(), watch.ambient("cuda"):
                out: Tensor = plain(*args)
            watch.place(out, "cuda")
            return out

        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, plain) and tags.on_device(value)

    return OnDevice(name, (), {"__module__": "torch.cuda"})
