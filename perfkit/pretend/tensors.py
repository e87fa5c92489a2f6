"""What tensors say under the pretence: `.device`, `.to`, `.cuda`, `.cpu` and the reads Python makes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from perfkit.catalogue._call import Seen
from perfkit.detectors.places import origin
from perfkit.pretend import tags
from perfkit.pretend.patching import Patches
from perfkit.pretend.watch import Watch, Where

CPU = torch.device("cpu")
CUDA = torch.device("cuda", 0)

_base = torch._C.TensorBase
_real_device = _base.device.__get__
_real_to = _base.to


def target(device: Any) -> Where | None:
    """Where a device argument points: "cuda", "cpu", or None for anything else (meta, None)."""
    if device is None:
        return None
    if isinstance(device, int) and not isinstance(device, bool):
        return "cuda"
    kind = device.type if isinstance(device, torch.device) else str(device).split(":", 1)[0]
    return "cuda" if kind == "cuda" else "cpu" if kind == "cpu" else None


def where_is(tensor: Tensor) -> Where:
    return "cuda" if tags.on_device(tensor) else "cpu"


def move(
    watch: Watch,
    tensor: Tensor,
    where: Where,
    *,
    dtype: torch.dtype | None = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: torch.memory_format = torch.preserve_format,
) -> Tensor:
    """`tensor.to(where, ...)` with the copy that CUDA would make, judged by the catalogue."""
    if tags.address(tensor) in tags.pending and where == "cuda":
        tags.adopt(tags.address(tensor))
    if where_is(tensor) == where:
        # `dtype or` keeps a call without arguments from raising
        same: Tensor = _real_to(
            tensor, dtype or tensor.dtype, copy=copy, memory_format=memory_format
        )
        return same
    with watch.quietly():
        out: Tensor = _real_to(
            tensor, dtype or tensor.dtype, copy=True, memory_format=memory_format
        )
    watch.place(out, where)
    if where == "cpu" and non_blocking:
        tags.put(tags.pinned, out)  # ATen allocates pinned memory for this (_to_copy, pin_out)
    watch.judge("aten::copy_", (out, tensor, non_blocking), label="aten::_to_copy")
    if where == "cuda" and non_blocking and tags.is_pinned(tensor):
        for hear in watch.unwaited:
            hear(out)
    if out.grad_fn is not None:
        _send_gradient_back(watch, out.grad_fn, where)
    return out


def _send_gradient_back(watch: Watch, node: Any, where: Where) -> None:
    """The gradient of a copy travels the other way, blocking; charged to the forward line."""
    place = origin(3).place
    kind = "d2h" if where == "cuda" else "h2d"

    def after(gradients: tuple[Any, ...], _: tuple[Any, ...]) -> tuple[Any, ...]:
        sent = []
        for gradient in gradients:
            copy = gradient.clone() if gradient is not None else None
            if copy is not None:
                watch.place(copy, "cpu" if where == "cuda" else "cuda")
                nbytes = copy.numel() * copy.element_size()
                watch.publish(kind, "aten::_to_copy", Seen(nbytes=nbytes), at=place)
            sent.append(copy)
        return tuple(sent)

    node.register_hook(after)


def install(watch: Watch, patches: Patches) -> None:
    """Make tensors tell the lie."""
    _install_properties(patches)
    _install_moves(watch, patches)
    _install_new(watch, patches)
    install_reads(watch, patches)
    _install_copies(watch, patches)


def _install_properties(patches: Patches) -> None:
    def device(self: Tensor) -> torch.device:
        return CUDA if tags.on_device(self) else _real_device(self)

    def get_device(self: Tensor) -> int:
        return 0 if tags.on_device(self) else -1

    patches.set(Tensor, "device", property(device))
    patches.set(Tensor, "is_cuda", property(tags.on_device))
    patches.set(Tensor, "is_cpu", property(lambda self: device(self).type == "cpu"))
    patches.set(Tensor, "get_device", get_device)
    patches.set(Tensor, "is_pinned", lambda self, device=None: tags.is_pinned(self))
    patches.set(Tensor, "record_stream", lambda self, stream: None)
    real_share = Tensor.share_memory_

    def share(self: Tensor) -> Tensor:
        return self if tags.on_device(self) else real_share(self)

    patches.set(Tensor, "share_memory_", share)
    patches.set(torch, "get_device", lambda tensor: get_device(tensor))


def _install_moves(watch: Watch, patches: Patches) -> None:
    def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return _to(watch, self, args, kwargs)

    def cuda(
        self: Tensor,
        device: Any = None,
        non_blocking: bool = False,
        memory_format: torch.memory_format = torch.preserve_format,
    ) -> Tensor:
        return move(watch, self, "cuda", non_blocking=non_blocking, memory_format=memory_format)

    def cpu(self: Tensor, memory_format: torch.memory_format = torch.preserve_format) -> Tensor:
        return move(watch, self, "cpu", memory_format=memory_format)

    def pin_memory(self: Tensor, device: Any = None) -> Tensor:
        if tags.on_device(self):
            raise RuntimeError(
                "cannot pin 'torch.cuda' tensors: only dense CPU tensors can be pinned"
            )
        if tags.is_pinned(self):
            return self
        out = self.clone()
        tags.put(tags.pinned, out)
        return out

    def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
        return _type(watch, self, dtype, non_blocking, kwargs)

    patches.set(Tensor, "to", to)
    patches.set(Tensor, "cuda", cuda)
    patches.set(Tensor, "cpu", cpu)
    patches.set(Tensor, "pin_memory", pin_memory)
    patches.set(Tensor, "type", type_)


def _to(watch: Watch, tensor: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    first = args[0] if args else kwargs.get("device", kwargs.get("other"))
    if isinstance(first, Tensor):
        rest, where, dtype = args[1:], where_is(first), first.dtype
    elif isinstance(first, torch.dtype) or target(first) is None:
        unmoved: Tensor = _real_to(tensor, *args, **kwargs)
        return unmoved
    else:
        rest, where, dtype = args[1:], target(first) or "cpu", kwargs.get("dtype")
        if rest and (rest[0] is None or isinstance(rest[0], torch.dtype)):
            dtype, rest = rest[0], rest[1:]
    non_blocking = rest[0] if rest else kwargs.get("non_blocking", False)
    copy = rest[1] if len(rest) > 1 else kwargs.get("copy", False)
    layout = kwargs.get("memory_format") or torch.preserve_format
    return move(
        watch,
        tensor,
        where,
        dtype=dtype,
        non_blocking=non_blocking,
        copy=copy,
        memory_format=layout,
    )


def _type(
    watch: Watch, tensor: Tensor, dtype: Any, non_blocking: bool, kwargs: dict[str, Any]
) -> Any:
    if dtype is None:
        name: str = _base.type(tensor)
        return name.replace("torch.", "torch.cuda.", 1) if tags.on_device(tensor) else name
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
    if isinstance(dtype, torch.dtype):
        return _real_to(tensor, dtype, non_blocking=non_blocking)
    where: Where = "cuda" if "cuda" in name else "cpu"
    wanted = _base.type(torch.empty(0), "torch." + name.rsplit(".", 1)[-1]).dtype
    return move(watch, tensor, where, dtype=wanted, non_blocking=non_blocking)


def _install_new(watch: Watch, patches: Patches) -> None:
    def placed(real: Any) -> Any:
        def new(
            self: Tensor, *args: Any, device: Any = None, pin_memory: bool = False, **kwargs: Any
        ) -> Any:
            with watch.quietly():
                out = real(self, *args, **kwargs)
            watch.place(out, target(device) or where_is(self))
            return out

        return new

    for name in ("new_zeros", "new_ones", "new_empty", "new_full", "new_empty_strided"):
        patches.set(Tensor, name, placed(getattr(_base, name)))

    def new_tensor(self: Tensor, data: Any, *, device: Any = None, **kwargs: Any) -> Tensor:
        kwargs.setdefault("dtype", self.dtype)
        return torch.tensor(data, device=device if device is not None else self.device, **kwargs)

    real_wrapper = Tensor._make_wrapper_subclass

    def make_wrapper(*args: Any, **kwargs: Any) -> Any:
        # a wrapper that really said "cuda" would make autograd ask for a CUDA device and abort
        given = [v for v in (*args, *kwargs.values()) if isinstance(v, torch.device)]
        where = target(given[0]) if given else None
        if where == "cuda":
            args = tuple(CPU if isinstance(v, torch.device) else v for v in args)
            kwargs = {k: CPU if isinstance(v, torch.device) else v for k, v in kwargs.items()}
        out = real_wrapper(*args, **kwargs)
        if where is not None:
            watch.place(out, where)
        return out

    patches.set(Tensor, "new_tensor", new_tensor)
    patches.set(Tensor, "_make_wrapper_subclass", staticmethod(make_wrapper))


def install_reads(watch: Watch, patches: Patches) -> None:
    """Reads that no dispatch mode sees. Also used alone, where nothing is pretended."""

    def tolist(self: Tensor) -> Any:
        if tags.on_device(self):
            watch.publish("tolist", "aten::copy_", Seen(nbytes=self.numel() * self.element_size()))
        with watch.quietly():
            return _base.tolist(self)

    def numpy(self: Tensor, *, force: bool = False) -> Any:
        if tags.on_device(self):
            watch.publish("numpy", "aten::copy_", Seen(nbytes=self.numel() * self.element_size()))
            if not force:
                watch.note(
                    "Tensor.numpy() of a device tensor",
                    "on a GPU this raises TypeError: call .cpu() first",
                )
        return _base.numpy(self, force=force)

    real_one_hot = torch.nn.functional.one_hot

    def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
        if num_classes == -1 and tags.on_device(tensor):
            watch.publish("one_hot", "aten::one_hot", Seen())
        with watch.quietly():
            return real_one_hot(tensor, num_classes)

    _install_quiet(watch, patches)
    patches.set(Tensor, "tolist", tolist)
    patches.set(Tensor, "numpy", numpy)
    patches.set(torch.nn.functional, "one_hot", one_hot)


def _install_quiet(watch: Watch, patches: Patches) -> None:
    """Functions whose C++ reads values only because the tensor really lies on the CPU."""

    def quiet(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            with watch.quietly():
                return real(*args, **kwargs)

        return call

    for name in ("quantile", "nanquantile"):
        patches.set(torch, name, quiet(getattr(torch, name)))
        patches.set(Tensor, name, quiet(getattr(_base, name)))


def install_printing(watch: Watch, patches: Patches) -> None:
    """Printing, where this torch cannot interpose the reads it makes."""
    real = torch._tensor_str._str

    def text(self: Tensor, *args: Any, **kwargs: Any) -> str:
        if tags.on_device(self):
            watch.publish("print", "aten::item", Seen())
        return str(real(self, *args, **kwargs))

    patches.set(torch._tensor_str, "_str", text)


def _install_copies(watch: Watch, patches: Patches) -> None:
    real_deepcopy, real_reduce = Tensor.__deepcopy__, Tensor.__reduce_ex__

    def deepcopy(self: Tensor, memo: Any) -> Tensor:
        with watch.quietly():
            out: Tensor = real_deepcopy(self, memo)
        if tags.on_device(self):
            watch.place(out, "cuda")
        return out

    def reduce_ex(self: Tensor, protocol: Any) -> Any:
        if tags.on_device(self):
            watch.publish("save", "aten::copy_", Seen(nbytes=self.numel() * self.element_size()))
        with watch.quietly():
            return real_reduce(self, protocol)

    patches.set(Tensor, "__deepcopy__", deepcopy)
    patches.set(Tensor, "__reduce_ex__", reduce_ex)
