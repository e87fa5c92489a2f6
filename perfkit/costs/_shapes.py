"""Shapes and dtypes of what a call makes, for when its outputs are not recorded."""

from __future__ import annotations

from typing import Any

from perfkit.costs._call import Call, Operand, Unknown, nbytes

SCALAR_TYPES = (
    "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex32",
    "complex64", "complex128", "bool", "qint8", "quint8", "qint32", "bfloat16", "quint4x2",
    "quint2x4", "bits1x8", "bits2x4", "bits4x2", "bits8", "bits16", "float8_e5m2",
    "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz", "uint16", "uint32", "uint64",
)  # fmt: skip
"""Names by number, as a trace records a dtype argument (c10/core/ScalarType.h)."""

_WIDTH = ("bool", "uint8", "int8", "int16", "int32", "int64", "bfloat16", "float16", "float32",
          "float64", "complex32", "complex64", "complex128")  # fmt: skip
_DEFAULTS = ("bool", "int64", "float32", "complex64")


def category(dtype: str) -> int:
    """0 truth, 1 whole, 2 floating, 3 complex: what decides when dtypes mix."""
    if dtype == "bool":
        return 0
    if dtype.startswith(("float", "bfloat")):
        return 2
    return 3 if dtype.startswith("complex") else 1


def operations(count: int, dtype: str) -> int:
    """Floating-point operations among `count` operations on this dtype."""
    return count if category(dtype) >= 2 else 0


def dtype_named(value: Any) -> str | None:
    """The dtype that an argument names, by number or text; None where it names none."""
    if isinstance(value, str):
        return value.removeprefix("torch.") or None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(SCALAR_TYPES):
        return SCALAR_TYPES[value]
    return None


def promote(*values: Any) -> str:
    """The dtype that operands and plain numbers are brought to.

    Tensors with dimensions go before those without, and those before numbers; the weaker decides
    only where its category is higher (torch's promotion rules).
    """
    ranked: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for value in values:
        if isinstance(value, Operand):
            ranked[0 if value.shape else 1].append(value.dtype)
        elif isinstance(value, (bool, int, float, complex)):
            kinds = (bool, int, float, complex)
            ranked[2].append(_DEFAULTS[kinds.index(type(value))])
    best = ""
    for level in (0, 1, 2):
        for dtype in ranked[level]:
            if not best or category(dtype) > category(best):
                best = dtype
            elif level == 0 and category(dtype) == category(best):
                best = _wider(best, dtype)
    if not best:
        raise Unknown("no operand has a recorded dtype")
    return best


def _wider(a: str, b: str) -> str:
    if {a, b} == {"float16", "bfloat16"}:
        return "float32"
    if a not in _WIDTH or b not in _WIDTH:
        return a
    return max(a, b, key=_WIDTH.index)


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that all are stretched to.

    Raises:
        Unknown: they do not fit.
    """
    rank = max((len(shape) for shape in shapes), default=0)
    out = []
    for axis in range(-rank, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        if len(sizes) > 1:
            raise Unknown(f"shapes {shapes} do not fit together")
        out.append(sizes.pop() if sizes else 1)
    return tuple(out)


def axes(value: Any, rank: int) -> tuple[int, ...]:
    """Dimensions by number from the front; all of them where none is named."""
    if value is None or value == ():
        return tuple(range(rank))
    chosen = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(axis, int) for axis in chosen):
        raise Unknown(f"{value!r} names no dimension")
    return tuple(sorted({int(axis) % max(rank, 1) for axis in chosen}))


def without(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[int, ...]:
    """What is left when these dimensions are reduced."""
    return tuple(n for axis, n in enumerate(shape) if axis not in dims)


def replaced(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    """The shape with one dimension of another size."""
    if not shape:
        return shape
    axis %= len(shape)
    return (*shape[:axis], size, *shape[axis + 1 :])


def along(shape: tuple[int, ...], axis: int) -> int:
    """The size of a dimension; 1 of a tensor without dimensions."""
    return shape[axis] if shape else 1


def output(call: Call, shape: tuple[int, ...], dtype: str) -> Operand:
    """The first output as recorded, else as computed."""
    return call.outputs[0] if call.outputs else Operand(shape, dtype)


def written(call: Call, *made: Operand | None) -> int:
    """Bytes of the recorded outputs, else of those computed."""
    return nbytes(*call.outputs) if call.outputs else nbytes(*made)


def recorded(call: Call, why: str) -> tuple[Operand, ...]:
    """Outputs whose shape depends on data.

    Raises:
        Unknown: they are not recorded; `why` says what decides their size.
    """
    if not call.outputs:
        raise Unknown(f"outputs of {call.name} are not recorded: {why}")
    return call.outputs


def pair(value: Any, rank: int) -> tuple[int, ...]:
    """A size per spatial dimension, from one number or several."""
    sizes = value if isinstance(value, tuple) else (value,)
    if not sizes or not all(isinstance(size, int) for size in sizes):
        raise Unknown(f"{value!r} is no size")
    return tuple(sizes) if len(sizes) == rank else tuple(sizes[:1]) * rank


def names(text: str) -> tuple[str, ...]:
    """Operators listed in a text."""
    return tuple(text.split())
