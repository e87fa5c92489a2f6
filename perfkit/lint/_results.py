"""What functions of torch and methods of tensors give back."""

from __future__ import annotations

import ast
from collections.abc import Callable

from perfkit.lint._site import Site
from perfkit.lint._value import (
    ARRAY,
    NUMBER,
    SEQUENCE,
    SHAPE,
    TEXT,
    TRUTH,
    UNKNOWN,
    Value,
    elements,
    pair,
    sequence,
    tensor,
    tree,
)
from perfkit.lint._words import (
    ASKS,
    BOOLEAN,
    FLOATING,
    FROM_HOST,
    FROM_NOTHING,
    INTEGER,
    NOT_PROOF,
    NOT_TENSORS,
    PAIRS,
    PROOFS,
    REDUCTIONS,
    SCALAR_LOSSES,
    names,
)

WAITING = names("item tolist cpu numpy nonzero unique masked_select synchronize")
_HOST_MODULES = ("torch.utils.", "torch.cuda.", "torch.distributed.", "torch.optim.", "torch.jit.")


def of_torch(name: str, site: Site, default_on: str) -> Value:
    """A call of `torch.<something>`."""
    last = name.rpartition(".")[2]
    if name == "torch.device":
        return _device(site)
    if name.startswith("torch.nn.") and last[:1].isupper():
        return _from_nn(last, site)
    if name.startswith(_HOST_MODULES) or (name.count(".") == 1 and last in NOT_TENSORS):
        return _no_tensor(name, last)
    if name.count(".") == 1:
        if last in FROM_HOST:
            return tensor("host", sure=3)
        if last in FROM_NOTHING:
            return _made(last, site, default_on)
        if last.endswith("_like"):
            return _like(site)
    return _computed(last, site)


def _device(site: Site) -> Value:
    first = site.arg(0, "type")
    return first if first is not None and first.kind == "device" else Value("device", on="device")


def _from_nn(last: str, site: Site) -> Value:
    if last in ("Parameter", "Buffer"):
        first = site.arg(0, "data") or UNKNOWN
        return tensor("device", rank=first.rank, dtype=first.dtype, sure=3)
    return Value("net", on="host", name=f"torch.nn.{last}", sure=3)


def _no_tensor(name: str, last: str) -> Value:
    if last == "DataLoader":
        return Value("loader", on="host", sure=3)
    if last == "load":
        return UNKNOWN
    if last in ("finfo", "iinfo"):
        return Value("limits", sure=3)
    if last in ("pack_padded_sequence", "pad_packed_sequence"):
        return tree("device")
    if last == "checkpoint":
        return tree("device")
    if last in ("is_tensor", "equal", "allclose", "is_nonzero", "is_available"):
        return TRUTH
    return NUMBER if last in ("numel", "device_count", "get_rank", "get_world_size") else UNKNOWN


def _made(last: str, site: Site, default_on: str) -> Value:
    """A factory: where `device=` says."""
    given = site.kwargs.get("device")
    on: str | None = default_on
    sure = 3
    if given is not None and given.kind != "none":
        on = given.on if given.kind == "device" else "device"
        sure = given.sure if given.kind == "device" else 2
    elif last in ("as_tensor", "asarray") and site.args and site.args[0].holds_data:
        on, sure = site.args[0].on, site.args[0].sure
    rank = None
    if last in ("arange", "range", "linspace", "randperm", "logspace"):
        rank = 1
    elif last in ("tensor", "as_tensor", "scalar_tensor") and site.args:
        rank = {"number": 0, "text": 0}.get(site.args[0].kind)
        rank = 1 if site.args[0].kind == "sequence" and _of_numbers(site.args[0]) else rank
    elif site.args and site.args[0].kind == "sequence" and site.args[0].positional:
        rank = len(site.args[0].inner)
    dtype = _asked_dtype(site) or ("int" if last in INTEGER else _literal_dtype(site))
    return tensor(on, rank=rank, dtype=dtype, sure=sure)


def _of_numbers(data: Value) -> bool:
    return bool(data.inner) and all(item.kind == "number" for item in data.inner)


def _literal_dtype(site: Site) -> str | None:
    """Of `torch.tensor([True, False])`, by the first element; of `arange(4)`, by what it counts."""
    node: ast.expr | None = site.arg_nodes[0] if site.arg_nodes else None
    while isinstance(node, (ast.List, ast.Tuple)) and node.elts:
        node = node.elts[0]
    if isinstance(node, ast.Constant):
        names = {bool: "bool", int: "int", float: "float"}
        return names.get(type(node.value)) if site.name not in _FLOATS else "float"
    return "int" if site.name == "torch.arange" else None


_FLOATS = tuple(
    f"torch.{name}" for name in ("zeros", "ones", "empty", "rand", "randn", "full", "eye")
)


def _asked_dtype(site: Site) -> str | None:
    node = site.keyword_nodes.get("dtype")
    name = getattr(node, "attr", getattr(node, "id", ""))
    if name == "bool":
        return "bool"
    return ("int" if name.startswith(("int", "long")) else "float") if name else None


def _like(site: Site) -> Value:
    first = site.args[0] if site.args else UNKNOWN
    given = site.kwargs.get("device")
    on = given.on if given is not None and given.kind == "device" else first.on
    dtype = _asked_dtype(site) or first.dtype
    return tensor(on, rank=first.rank, dtype=dtype, sure=max(1, first.sure))


def _computed(last: str, site: Site) -> Value:
    """A function of tensors: as its arguments."""
    data: Value | None = None
    for value in (*site.args, *site.kwargs.values()):
        one = elements(value) if value.kind == "sequence" else value
        if one.holds_data:
            data = one if data is None else _nearest(data, one)
    sure = max(2, data.sure) if data and last not in NOT_PROOF else (data.sure if data else 2)
    base = tensor(data.on, rank=data.rank, dtype=data.dtype, sure=sure) if data else None
    if base is None:
        # arguments of unknown kind: most likely tensors of the place this function works on
        base = tensor(None, sure=2) if last not in NOT_TENSORS else UNKNOWN
        if base.kind == "unknown" or not site.args:
            return UNKNOWN
    return _after(base, last, site, 1)


def _nearest(a: Value, b: Value) -> Value:
    """One tensor on the device puts the result there."""
    if a.on == b.on:
        return a if a.sure >= b.sure else b
    return a if a.on == "device" else (b if b.on == "device" else a)


def of_tensor(owner: Value, name: str, site: Site) -> Value:
    """A method of a tensor, or of what may be one."""
    special = _SPECIAL.get(name)
    if special is not None:
        return special(owner, site)
    if name in ASKS or name == "__class__":
        return NUMBER
    if owner.kind == "tree":
        if name in ("items", "values", "keys", "get", "pop"):
            return _of_container(owner, name)
        if name.startswith(("to_", "as_", "is_")):
            return UNKNOWN
        if name not in REDUCTIONS and name not in PROOFS:
            return owner
        owner = tensor(owner.on, sure=max(2, owner.sure) if name in PROOFS else owner.sure)
    if name.startswith("is_"):
        return NUMBER
    return _after(owner, name, site, 0)


def _of_container(owner: Value, name: str) -> Value:
    if name == "items":
        return sequence(pair(TEXT, owner))
    if name == "keys":
        return sequence(TEXT)
    return sequence(owner) if name == "values" else owner


def _after(base: Value, name: str, site: Site, dims_from: int) -> Value:
    """A tensor after an operation called `name`."""
    plain = name.rstrip("_")
    if plain in REDUCTIONS:
        return _reduced(base, plain, site, dims_from)
    if plain in SCALAR_LOSSES:
        whole = site.constant(99, "reduction") != "none"
        return tensor(base.on, rank=0 if whole else None, dtype="float", sure=max(base.sure, 2))
    if plain in BOOLEAN:
        return base._replace(dtype="bool", rank=base.rank if plain != "isin" else None)
    if plain in PAIRS:
        part = base._replace(rank=None)
        known = plain in ("topk", "sort", "mode", "kthvalue", "cummax", "cummin")
        return pair(part, part._replace(dtype="int")) if known else sequence(part)
    if plain == "nonzero" and site.constant(9, "as_tuple") is True:
        return sequence(base._replace(rank=1, dtype="int"))
    if plain in INTEGER:
        rank = {"nonzero": 2, "argwhere": 2, "bincount": 1, "unique": 1}.get(plain, base.rank)
        return base._replace(dtype="int", rank=rank)
    if plain in FLOATING:
        return base._replace(dtype="float")
    if plain in ("clone", "detach", "clamp", "contiguous", "abs", "neg", "masked_fill", "cumsum"):
        return base
    if plain == "where":
        return _where(base, site, dims_from)
    if plain in ("squeeze", "view", "reshape", "flatten", "unsqueeze", "expand", "permute"):
        return base._replace(rank=None)
    if plain in ("bitwise_and", "bitwise_or", "bitwise_not"):
        return base
    dtype = base.dtype if plain in _KEEPING else None
    return base._replace(rank=None, dtype=dtype)


_KEEPING = names(
    "view reshape flatten unsqueeze squeeze expand transpose t permute roll flip tril triu cat "
    "stack gather index_select repeat scatter scatter_ masked_select repeat_interleave expand_as "
    "take new_zeros new_ones narrow select movedim logical_not copy add_ fill_"
)


def _where(base: Value, site: Site, dims_from: int) -> Value:
    if dims_from and len(site.args) + len(site.kwargs) == 1:
        return sequence(base._replace(rank=1, dtype="int"))
    return base._replace(rank=None, dtype=None)


def _reduced(base: Value, name: str, site: Site, dims_from: int) -> Value:
    numbers = [v for v in site.args[dims_from:] if v.kind != "text"]
    if name in ("norm", "quantile") and numbers:
        numbers = numbers[1:]
    whole = not numbers and not site.kwargs.keys() & {"dim", "axis", "dims"}
    dtype = {"all": "bool", "any": "bool", "argmax": "int", "argmin": "int"}.get(name)
    if dtype is None and base.dtype != "bool":
        dtype = base.dtype
    if whole:
        return base._replace(kind="tensor", rank=0, dtype=dtype)
    rank = None
    keep = site.constant(1 + dims_from, "keepdim")
    if base.rank and not keep and len(numbers) <= 1 and _one_dimension(numbers):
        rank = base.rank - 1
    part = base._replace(kind="tensor", rank=rank, dtype=dtype)
    if name in ("max", "min", "median", "nanmedian"):
        if numbers and numbers[0].holds_data:
            return part._replace(rank=None)  # the larger of two tensors
        return pair(part, part._replace(dtype="int"))
    return part


def _one_dimension(numbers: list[Value]) -> bool:
    return not numbers or numbers[0].kind == "number"


def _to(owner: Value, site: Site) -> Value:
    """`.to(...)`: another place, another type, or another tensor's."""
    for value in (*site.args, *site.kwargs.values()):
        if value.kind == "device":
            return owner._replace(on=value.on or "device")
        if value.holds_data:
            return owner._replace(on=value.on)
    node = site.arg_nodes[0] if site.arg_nodes else site.keyword_nodes.get("dtype")
    name = getattr(node, "attr", "")
    if name in ("bool",):
        return owner._replace(dtype="bool")
    if name.startswith(("int", "long")):
        return owner._replace(dtype="int")
    if name.startswith(("float", "half", "bfloat", "double")):
        return owner._replace(dtype="float")
    if site.args and site.args[0].kind == "unknown":
        return owner._replace(on="device" if owner.on is None else owner.on, dtype=None)
    return owner._replace(dtype=None) if site.args and site.args[0].kind == "dtype" else owner


def _new(owner: Value, site: Site) -> Value:
    given = site.kwargs.get("device")
    on = given.on if given is not None and given.kind == "device" else owner.on
    rank = 0 if site.args and site.args[0] == pair() else None
    return tensor(on, rank=rank, dtype=_asked_dtype(site), sure=owner.sure)


_SPECIAL: dict[str, Callable[[Value, Site], Value]] = {
    "to": _to,
    "cuda": lambda owner, site: owner._replace(on="device"),
    "cpu": lambda owner, site: owner._replace(on="host"),
    "pin_memory": lambda owner, site: owner._replace(on="host", name="pinned"),
    "numpy": lambda owner, site: ARRAY,
    "item": lambda owner, site: NUMBER,
    "tolist": lambda owner, site: sequence(NUMBER) if owner.rank else SEQUENCE,
    "size": lambda owner, site: NUMBER if site.args or site.kwargs else SHAPE,
    "new_zeros": _new,
    "new_ones": _new,
    "new_full": _new,
    "new_empty": _new,
    "new_tensor": _new,
    "type_as": lambda owner, site: owner._replace(on=site.args[0].on) if site.args else owner,
    "unique": lambda owner, site: _unique(owner, site),
}


def _unique(owner: Value, site: Site) -> Value:
    one = tensor(owner.on, rank=1, dtype=owner.dtype, sure=owner.sure)
    return pair(*[one] * (1 + len(site.kwargs))) if site.kwargs else one


def of_other(owner: Value, name: str, site: Site) -> Value:
    """A method of something that is no tensor, or is not known."""
    kind = owner.kind
    if kind == "mapping" or (name in ("items", "values") and kind == "unknown"):
        inner = owner.inner[0] if owner.inner else UNKNOWN
        if name == "items":
            return sequence(pair(UNKNOWN, inner))
        return (
            sequence(inner) if name == "values" else (inner if name in ("get", "pop") else UNKNOWN)
        )
    if kind == "sequence":
        return elements(owner) if name == "pop" else UNKNOWN
    if kind == "net":
        return _of_net(owner, name, site)
    if kind == "array":
        return NUMBER if name == "item" else ARRAY
    if kind == "text":
        return TEXT
    if owner.name == "made" and name in ("to", "cuda", "eval", "train"):
        return Value("net", on="device" if name in ("to", "cuda") else "host")
    if name in ("item", "numel", "dim"):
        return NUMBER
    if name == "tolist":
        return SEQUENCE
    if name in ("cuda", "cpu") and kind == "unknown":
        return tree("device" if name == "cuda" else "host")
    if name in PROOFS and kind == "unknown":
        return _after(tensor(None, sure=2), name, site, 0)
    return UNKNOWN


def _of_net(owner: Value, name: str, site: Site) -> Value:
    if name in ("to", "cuda", "half", "float", "bfloat16"):
        return owner._replace(on="device")
    if name in ("eval", "train", "cpu", "requires_grad_", "apply", "compile"):
        return owner
    if name in ("parameters", "buffers"):
        return sequence(tensor("device"))
    if name in ("named_parameters", "named_buffers"):
        return sequence(pair(TEXT, tensor("device")))
    if name in ("children", "modules"):
        return sequence(Value("net", on=owner.on))
    if name in ("state_dict", "named_modules", "named_children", "items", "values", "keys"):
        return sequence(pair(TEXT, Value("net", on=owner.on))) if name != "values" else owner
    return UNKNOWN
