"""Arguments as a tree of JSON beside named tensors, and back. Says of every leaf that it cannot keep why."""

from __future__ import annotations

import dataclasses
import enum
import math
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

MOST_LEAVES = 100_000
MOST_DEPTH = 60
_SPARSE_SPAN = 8
"""Memory between a tensor's elements, as a multiple of them, above which strides are made dense."""

_base = torch._C.TensorBase  # under the pretence the methods of Tensor say what they do not do
_PLAIN = (type(None), bool, int, str)
_ROOMS = ("parameters", "buffers", "modules")
_OWN_OF_MODULES = vars(torch.nn.Module())
"""Attributes that every module has."""


class Packed:
    """A tree and its tensors, not yet copied.

    Args:
        modules: keep modules too: their class by name, tensors, submodules and plain attributes.

    Attributes:
        tree: JSON.
        why_not: leaves that could not be kept, with the reason; such a call cannot be replayed.
        notes: what of the tensors is not kept.
    """

    def __init__(self, tree: Any, *, modules: bool = False) -> None:
        self._modules = modules
        self.why_not: list[str] = []
        self.notes: list[str] = []
        self._tensors: dict[str, Tensor] = {}
        self._same: dict[int, Any] = {}
        self._kept: list[Any] = []  # an id stays an id only as long as its object lives
        self._storages: dict[int, str] = {}
        self._open: set[int] = set()
        self._leaves = 0
        self._values: dict[str, Tensor] | None = None
        with torch.no_grad():
            self.tree = self._node(tree, "", 0)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors, as they will be stored."""
        return sum(one.numel() * one.element_size() for one in self._tensors.values())

    def copied(self) -> dict[str, Tensor]:
        """The tensors' values now, contiguous and on the host; later changes do not reach them."""
        if self._values is not None:
            return self._values
        self._values = {}
        with torch.no_grad():
            for name, one in self._tensors.items():
                whole = _base.clone(one, memory_format=torch.contiguous_format)
                self._values[name] = _base.cpu(whole)
        return self._values

    def forget_tensors(self) -> None:
        """Keep only the description: of a call that cannot be replayed nobody needs the values."""
        self._tensors.clear()
        self.tree = None

    def _node(self, value: Any, path: str, depth: int) -> Any:
        self._leaves += 1
        kind = type(value)
        if depth > MOST_DEPTH or self._leaves > MOST_LEAVES:
            return self._refuse(path, "is too deep, or has too many values")
        if kind in _PLAIN:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if issubclass(kind, Tensor):
            return self._tensor(value, path)
        if kind is np.ndarray or issubclass(kind, np.generic):
            return self._array(value, path)
        if kind is torch.Generator:
            state = self._add(path, value.get_state())
            return {"generator": state, "device": str(value.device)}
        return self._simple(value) or self._nested(value, path, depth)

    def _simple(self, value: Any) -> dict[str, Any] | None:
        kind = type(value)
        if kind is complex:
            return {"complex": [repr(value.real), repr(value.imag)]}
        if kind is bytes:
            return {"bytes": value.hex()}
        if kind is torch.dtype:
            return {"dtype": str(value).removeprefix("torch.")}
        if kind is torch.device:
            return {"device": str(value)}
        if value is Ellipsis:
            return {"ellipsis": True}
        if issubclass(kind, enum.Enum):
            return {"enum": _name(kind), "member": value.name}
        named = (types.FunctionType, types.BuiltinFunctionType, type)
        if issubclass(kind, named) and _is_found(value):
            return {"name": _name(value)}
        return None

    def _nested(self, value: Any, path: str, depth: int) -> Any:
        if id(value) in self._open:
            return self._refuse(path, "contains itself")
        self._open.add(id(value))
        try:
            return self._children(value, path, depth + 1)
        finally:
            self._open.discard(id(value))

    def _children(self, value: Any, path: str, depth: int) -> Any:
        kind = type(value)
        if kind in (list, tuple, torch.Size, set, frozenset):
            items = [self._node(v, f"{path}[{i}]", depth) for i, v in enumerate(value)]
            return {kind.__name__.lower(): items}
        if kind in (slice, range):
            parts = [value.start, value.stop, value.step]
            return {kind.__name__: [self._node(v, path, depth) for v in parts]}
        if kind in (dict, OrderedDict):
            pairs = []
            for key, held in value.items():
                inside = f"{path}[{_key(key)}]" if path else _key(key)
                named = self._node(key, f"{path}.<key>", depth)
                pairs.append([named, self._node(held, inside, depth)])
            return {kind.__name__.lower(): pairs}
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            names = kind._fields
            items = [self._node(v, f"{path}.{n}", depth) for n, v in zip(names, value, strict=True)]
            return {"namedtuple": _name(kind), "items": items}
        if dataclasses.is_dataclass(kind):
            names = [f.name for f in dataclasses.fields(kind)]
            kept = [[n, self._node(getattr(value, n, None), f"{path}.{n}", depth)] for n in names]
            return {"dataclass": _name(kind), "fields": kept}
        if issubclass(kind, torch.nn.Module) and self._modules:
            return self._module(value, path, depth)
        if issubclass(kind, torch.nn.Module):
            return self._refuse(path, f"is a module ({kind.__name__}); pass its tensors instead")
        return self._refuse(path, f"is a value of type {kind.__module__}.{kind.__qualname__}")

    def _module(self, value: torch.nn.Module, path: str, depth: int) -> dict[str, Any]:
        """What a module holds; attributes that cannot be kept are left out and noted."""
        held = vars(value)
        kept = []
        for name in held.keys() - _OWN_OF_MODULES.keys():
            refused = len(self.why_not)
            node = self._node(held[name], f"{path}.{name}", depth)
            if len(self.why_not) > refused:
                self.notes.append(f"left out: {self.why_not[refused]}")
                del self.why_not[refused:]
            else:
                kept.append([name, node])
        if any(held[name] for name in _OWN_OF_MODULES if name.endswith("_hooks") and name in held):
            self.notes.append(f"{path}: its hooks are not kept")
        parts = {
            room: [[n, self._node(v, f"{path}.{n}", depth)] for n, v in held[f"_{room}"].items()]
            for room in _ROOMS
        }
        return {"module": _name(type(value)), "training": value.training, "own": kept, **parts}

    def _refuse(self, path: str, why: str) -> dict[str, str]:
        if len(self.why_not) < 20:
            self.why_not.append(f"{path.lstrip('.') or 'the call'} {why}")
        return {"unsupported": why}

    def _tensor(self, value: Tensor, path: str) -> Any:
        if id(value) in self._same:
            return self._same[id(value)]
        refused = _why_no_tensor(value)
        if refused:
            return self._refuse(path, refused)
        node: dict[str, Any] = {
            "shape": list(value.shape),
            "stride": list(value.stride()),
            "device": str(value.device),
            "requires_grad": value.requires_grad,
            "leaf": value.is_leaf,
            "parameter": type(value) is torch.nn.Parameter,
        }
        stored = _base.detach(value)
        for dim, (size, stride) in enumerate(zip(value.shape, value.stride(), strict=True)):
            if stride == 0 and size > 1:
                stored = stored.narrow(dim, 0, 1)
        if torch._debug_has_internal_overlap(stored) == 1:
            node["stride"] = None
            self.notes.append(f"{path}: elements share memory, stored as if each had its own")
        if value.is_complex():
            node["complex"] = True
            stored = torch.view_as_real(stored.resolve_conj())
        self._note_alias(value, path)
        node["tensor"] = self._add(path, stored)
        self._same[id(value)] = node
        self._kept.append(value)
        return node

    def _note_alias(self, value: Tensor, path: str) -> None:
        if value.numel():
            address = value.untyped_storage().data_ptr()
            other = self._storages.setdefault(address, path)
            if other != path:
                self.notes.append(f"{path} and {other} share memory, stored apart")

    def _array(self, value: Any, path: str) -> Any:
        try:
            stored = torch.from_numpy(np.array(value))
        except TypeError:
            return self._refuse(path, f"is a numpy value of dtype {value.dtype}")
        return {"ndarray": self._add(path, stored), "scalar": not isinstance(value, np.ndarray)}

    def _add(self, path: str, stored: Tensor) -> str:
        name = path.lstrip(".") or "value"
        while name in self._tensors:  # keys may read alike: 1 and "1"
            name += "'"
        self._tensors[name] = stored
        return name


def _why_no_tensor(value: Tensor) -> str:
    """Why a tensor cannot be kept; empty where it can."""
    if type(value) not in (Tensor, torch.nn.Parameter):
        return f"is a tensor of the class {type(value).__name__}"
    if value.layout is not torch.strided or value.is_nested:
        return f"is a tensor of layout {'nested' if value.is_nested else value.layout}"
    if value.is_quantized:
        return "is a quantised tensor"
    if value.device.type == "meta":
        return "is a tensor without values (meta)"
    return ""


def _key(key: Any) -> str:
    return str(key)[:40] if type(key) in (str, int, bool, float) else type(key).__name__


def _name(value: Any) -> str:
    return f"{value.__module__}:{value.__qualname__}"


def _is_found(value: Any) -> bool:
    """Whether a function or class is what its own name says."""
    found: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


class Unpacker:
    """Builds the values of a tree again.

    Args:
        find: the class or function of a `module:qualified.name`.
        device: where what lay on a device goes; what lay on the host stays there.
    """

    def __init__(
        self, tensors: dict[str, Tensor], find: Callable[[str], Any], device: torch.device
    ) -> None:
        self._tensors = tensors
        self._device = device
        self._find = find
        self._same: dict[str, Tensor] = {}

    def unpack(self, node: Any) -> Any:
        """The value of a node.

        Raises:
            ValueError, KeyError, TypeError: not a tree that `Packed` made.
        """
        if not isinstance(node, dict):
            return node
        if "tensor" in node:
            return self._tensor(node)
        if "ndarray" in node:
            array = self._tensors[node["ndarray"]].numpy()
            return array[()] if node["scalar"] else array
        if "generator" in node:
            generator = torch.Generator()  # on the host: other state does not fit, and raises
            generator.set_state(self._tensors[node["generator"]])
            return generator
        if "dataclass" in node:
            return self._dataclass(node)
        if "module" in node:
            return self._module(node)
        if "namedtuple" in node:
            kind = self._find(node["namedtuple"])
            if not (isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_make")):
                raise ValueError(f"{node['namedtuple']} is no named tuple")
            return kind._make(map(self.unpack, node["items"]))
        return self._plain(*next(iter(node.items())), node)

    def _plain(self, kind: str, given: Any, node: dict[str, Any]) -> Any:
        builders: dict[str, Callable[[Any], Any]] = {
            "list": lambda items: [self.unpack(v) for v in items],
            "tuple": lambda items: tuple(self.unpack(v) for v in items),
            "size": lambda items: torch.Size(items),
            "set": lambda items: {self.unpack(v) for v in items},
            "frozenset": lambda items: frozenset(self.unpack(v) for v in items),
            "slice": lambda parts: slice(*map(self.unpack, parts)),
            "range": lambda parts: range(*parts),
            "dict": lambda pairs: {self.unpack(k): self.unpack(v) for k, v in pairs},
            "ordereddict": lambda pairs: OrderedDict(
                (self.unpack(k), self.unpack(v)) for k, v in pairs
            ),
            "float": float,
            "complex": lambda parts: complex(float(parts[0]), float(parts[1])),
            "bytes": bytes.fromhex,
            "dtype": _dtype,
            "device": self._there,
            "ellipsis": lambda _: ...,
            "enum": lambda name: self._member(name, node["member"]),
            "name": self._find,
        }
        return builders[kind](given)

    def _there(self, recorded: str) -> torch.device:
        return torch.device("cpu") if torch.device(recorded).type == "cpu" else self._device

    def _member(self, name: str, member: str) -> Any:
        kind = self._find(name)
        if not (isinstance(kind, type) and issubclass(kind, enum.Enum)):
            raise ValueError(f"{name} is no enum")
        return kind[member]

    def _module(self, node: dict[str, Any]) -> torch.nn.Module:
        kind = self._find(node["module"])
        if not (isinstance(kind, type) and issubclass(kind, torch.nn.Module)):
            raise ValueError(f"{node['module']} is no module")
        made: torch.nn.Module = object.__new__(kind)
        torch.nn.Module.__init__(made)
        vars(made)["training"] = bool(node["training"])
        for name, value in node["own"]:
            if name not in _OWN_OF_MODULES:
                vars(made)[name] = self.unpack(value)
        for room in _ROOMS:
            vars(made)[f"_{room}"].update({name: self.unpack(v) for name, v in node[room]})
        return made

    def _dataclass(self, node: dict[str, Any]) -> Any:
        kind = self._find(node["dataclass"])
        if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
            raise ValueError(f"{node['dataclass']} is no dataclass")
        known = {field.name for field in dataclasses.fields(kind)}
        made = object.__new__(kind)
        for name, value in node["fields"]:
            if name not in known:
                raise ValueError(f"{node['dataclass']} has no field {name!r}")
            object.__setattr__(made, name, self.unpack(value))
        return made

    def _tensor(self, node: dict[str, Any]) -> Tensor:
        name = node["tensor"]
        if name in self._same:
            return self._same[name]
        stored = self._tensors[name]
        if node.get("complex"):
            stored = torch.view_as_complex(stored)
        made = _restrided(stored.to(self._there(node["device"])), node["shape"], node["stride"])
        if node["parameter"]:
            made = torch.nn.Parameter(made, requires_grad=bool(node["requires_grad"]))
        else:
            made.requires_grad_(bool(node["requires_grad"]))
        if not node["leaf"] and list(made.stride()) == list(made.clone().stride()):
            made = made.clone()  # a program may write into what it computed, not into a leaf
        self._same[name] = made
        return made


def _dtype(name: str) -> torch.dtype:
    found = getattr(torch, name)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"{name} is no dtype")
    return found


def _restrided(stored: Tensor, shape: list[int], stride: list[int] | None) -> Tensor:
    """The same values with the strides given, dense ones in their order where they span too much."""
    if stride is not None and stored.numel():
        span = 1 + sum((n - 1) * s for n, s in zip(stored.shape, stride, strict=True))
        if span <= _SPARSE_SPAN * stored.numel() and list(stored.stride()) != stride:
            room = torch.empty_strided(
                stored.shape, stride, dtype=stored.dtype, device=stored.device
            )
            stored = room.copy_(stored)
        elif span > _SPARSE_SPAN * stored.numel():
            order = sorted(range(len(stride)), key=lambda dim: -stride[dim])
            back = [order.index(dim) for dim in range(len(order))]
            stored = stored.permute(order).contiguous().permute(back)
    return stored if list(stored.shape) == shape else stored.expand(shape)
