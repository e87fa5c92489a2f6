"""What is thought about the value of an expression: its nature, where it lies, and how sure that is."""

from __future__ import annotations

from typing import NamedTuple


class Value(NamedTuple):
    """A guess about a value.

    Attributes:
        kind: "tensor"; "tree" (a tensor or a container of tensors: batches, what models return);
            "number", "text", "none", "shape", "dtype", "device", "array" (NumPy), "sequence",
            "mapping", "limits" (of a type of numbers), "net" (an nn.Module), "loader",
            "object" (instance of a class of this file),
            "dotted" (an imported name), "function", "class", "clock", "generator" or "unknown".
        on: "device", "host" or None where that is unknown.
        rank: number of dimensions; None where that is unknown.
        dtype: "bool", "int", "float" or None.
        sure: 3 known, 2 likely, 1 a name or habit speaks for it.
        inner: elements: positional in a tuple, else one that stands for all.
        positional: whether `inner` is by position.
        name: dotted name, class name or constant.
    """

    kind: str = "unknown"
    on: str | None = None
    rank: int | None = None
    dtype: str | None = None
    sure: int = 2
    inner: tuple[Value, ...] = ()
    positional: bool = False
    name: str = ""

    @property
    def holds_data(self) -> bool:
        """True for a tensor, or what may be one."""
        return self.kind in ("tensor", "tree")


UNKNOWN = Value()
NUMBER = Value("number", sure=3)
CONSTANT = Value("number", sure=3, name="constant")
TRUTH = Value("number", dtype="bool", sure=3)
COMPARED = Value("unknown", dtype="bool", sure=1)
TEXT = Value("text", sure=3)
NONE = Value("none", sure=3)
SHAPE = Value("shape", sure=3)
DTYPE = Value("dtype", sure=3)
ARRAY = Value("array", on="host", sure=3)
SEQUENCE = Value("sequence", sure=3)
MAPPING = Value("mapping", sure=3)
FUNCTION = Value("function", sure=3)


def tensor(
    on: str | None, *, rank: int | None = None, dtype: str | None = None, sure: int = 2
) -> Value:
    """A tensor."""
    return Value("tensor", on, rank, dtype, sure)


def tree(on: str | None, sure: int = 2) -> Value:
    """A batch, or what a model returned."""
    return Value("tree", on, None, None, sure)


def sequence(item: Value) -> Value:
    """A list of like elements."""
    return Value("sequence", sure=3, inner=(item,))


def pair(*items: Value) -> Value:
    """A tuple whose elements are known one by one."""
    return Value("sequence", sure=3, inner=items, positional=True)


def join(a: Value, b: Value) -> Value:
    """What is known when a value is one or the other."""
    if a == b or b.kind == "none":
        return a
    if a.kind == "none":
        return b
    if a.kind == "device" and b.kind == "device":
        return a if a.on == "device" else b
    if a.holds_data and b.holds_data:
        if a.on == b.on and a.sure != b.sure and a.kind != b.kind:
            return a if a.sure > b.sure else b
        return Value(
            "tensor" if a.kind == b.kind == "tensor" else "tree",
            _place(a.on, b.on),
            a.rank if a.rank == b.rank else None,
            a.dtype if a.dtype == b.dtype else None,
            min(a.sure, b.sure),
        )
    if a.holds_data or b.holds_data:
        return _with_other(a, b) if a.holds_data else _with_other(b, a)
    if a.kind == b.kind == "sequence" and a.inner and b.inner:
        return sequence(join(elements(a), elements(b)))
    if a.kind == b.kind:
        return a if a.inner or not b.inner else b
    return UNKNOWN


def _place(a: str | None, b: str | None) -> str | None:
    """A copy that happens on some paths only leaves a value that may be on the device."""
    return a if a == b else ("device" if "device" in (a, b) else None)


def _with_other(data: Value, other: Value) -> Value:
    if other.kind == "number":  # `total = 0`, then `total += loss`
        return data._replace(sure=min(data.sure, 2 if other.name == "constant" else 1))
    return data._replace(sure=min(data.sure, 2)) if other.kind == "unknown" else UNKNOWN


def elements(value: Value) -> Value:
    """What iterating gives."""
    kind = value.kind
    if kind == "sequence" or kind == "mapping":
        if not value.inner or kind == "mapping":
            return UNKNOWN
        result = value.inner[0]
        for item in value.inner[1:]:
            result = join(result, item)
        return result
    if kind == "tensor":
        rank = value.rank - 1 if value.rank else None
        return tensor(value.on, rank=rank, dtype=value.dtype, sure=value.sure)
    if kind == "shape":
        return NUMBER
    if kind in ("tree", "net"):
        return value
    if kind == "loader":
        return tree("host", 2)
    if kind == "array":
        return ARRAY
    return UNKNOWN


def arithmetic(a: Value, b: Value) -> Value:
    """The result of an operator between two values."""
    if a.holds_data or b.holds_data:
        if a.holds_data and b.holds_data:
            on = "device" if "device" in (a.on, b.on) else (a.on if a.on == b.on else None)
            rank = None if a.rank is None or b.rank is None else max(a.rank, b.rank)
            dtype = a.dtype if a.dtype == b.dtype else None
            return tensor(on, rank=rank, dtype=dtype, sure=_mixed(a, b, on))
        data, other = (a, b) if a.holds_data else (b, a)
        rank = data.rank if other.kind == "number" else None
        dtype = data.dtype if data.dtype != "bool" else None
        return tensor(data.on, rank=rank, dtype=dtype, sure=data.sure)
    if "array" in (a.kind, b.kind):
        return ARRAY
    if a.kind == b.kind == "number":
        return NUMBER
    if a.dtype == b.dtype == "bool" and "unknown" in (a.kind, b.kind):
        return COMPARED
    if a.kind == "text" or (a.kind == b.kind == "sequence"):
        return join(a, b) if a.kind == "sequence" else TEXT
    return a if a.kind == "sequence" and a.inner else UNKNOWN


def _mixed(a: Value, b: Value, on: str | None) -> int:
    known = [v.sure for v in (a, b) if v.on == on]
    return max(known) if known else min(a.sure, b.sure)
