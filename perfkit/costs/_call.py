"""One ATen call as costs see it: operands with shape, dtype and strides, and plain arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "complex64": 8, "complex128": 16,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
    "uint16": 2, "uint32": 4, "uint64": 8, "qint8": 1, "quint8": 1, "qint32": 4, "complex32": 4,
    "float4_e2m1fn_x2": 1,
}  # fmt: skip
"""Bytes per element, by torch's name of the dtype."""

Unit = Literal["matmul", "vector"]


class Unknown(Exception):
    """Raised by a cost function that cannot tell; the text is the reason."""


@dataclass(frozen=True)
class Operand:
    """A tensor without its data. `strides` are in elements; None where not recorded."""

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...] | None = None

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of its distinct elements: a dimension of stride 0 is stored once, windows that
        overlap are no larger than what they lie in.

        Raises:
            Unknown: of a dtype whose size is not known.
        """
        if not self.elements or self.strides is None:
            return self.elements * self.itemsize
        sizes = tuple(zip(self.shape, self.strides, strict=True))
        distinct = prod(n for n, stride in sizes if stride != 0)
        reach = 1 + sum((n - 1) * abs(stride) for n, stride in sizes)
        return min(distinct, reach) * self.itemsize

    @property
    def itemsize(self) -> int:
        """Bytes per element.

        Raises:
            Unknown: of a dtype whose size is not known.
        """
        if self.dtype not in SIZES:
            raise Unknown(f"the size of {self.dtype or 'an unnamed dtype'} is not known")
        return SIZES[self.dtype]


@dataclass(frozen=True)
class Call:
    """One call of an operator.

    Attributes:
        name: with namespace, without overload: `aten::addmm`.
        inputs: in the order of the schema: `Operand`, tuple of operands, number, bool, text, tuple
            of numbers; None for what was left out or not recorded.
        outputs: tensors only, lists flattened; empty where not recorded, as in traces.
    """

    name: str
    inputs: tuple[Any, ...]
    outputs: tuple[Operand, ...] = ()

    def operand(self, index: int) -> Operand:
        """A tensor argument.

        Raises:
            Unknown: it is not there.
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, Operand):
            raise Unknown(f"argument {index} of {self.name} has no recorded shape")
        return value

    def optional(self, index: int) -> Operand | None:
        """A tensor argument that may be left out."""
        value = self.inputs[index] if index < len(self.inputs) else None
        return value if isinstance(value, Operand) else None

    def plain(self, index: int, default: Any = None) -> Any:
        """A number, text or tuple; `default` where left out or not recorded."""
        value = self.inputs[index] if index < len(self.inputs) else None
        return default if value is None or isinstance(value, Operand) else value

    def several(self, index: int) -> tuple[Operand, ...]:
        """The tensors of a list argument; those left out are not among them.

        Raises:
            Unknown: it is no list.
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, tuple):
            raise Unknown(f"argument {index} of {self.name} has no recorded list of tensors")
        return tuple(inner for inner in value if isinstance(inner, Operand))

    @property
    def operands(self) -> tuple[Operand, ...]:
        """All tensor arguments, those in lists too."""
        found: list[Operand] = []
        for value in self.inputs:
            if isinstance(value, Operand):
                found.append(value)
            elif isinstance(value, tuple):
                found += [inner for inner in value if isinstance(inner, Operand)]
        return tuple(found)


@dataclass(frozen=True)
class Cost:
    """What a call has to do at least.

    Attributes:
        flops: floating-point operations, a multiplication and an addition counting as two, a
            transcendental function as one; arithmetic on integers is none, but for matrix products.
        read, written: bytes between memory and chip when every operand travels once.
        unit: `matmul` where matrix units can do it (the FLOPs that torch's counter counts),
            `vector` elsewhere.
        dtype: of the arithmetic, which picks the peak.
    """

    flops: int
    read: int
    written: int
    unit: Unit = "vector"
    dtype: str = "float32"

    @property
    def nbytes(self) -> int:
        return self.read + self.written

    @property
    def intensity(self) -> float | None:
        """Arithmetic intensity, FLOP per byte; None where no byte moves."""
        return self.flops / self.nbytes if self.nbytes else None


CostFunction = Callable[[Call], Cost]


def nbytes(*operands: Operand | None) -> int:
    """Bytes of several operands together; absent ones take none."""
    return sum(operand.nbytes for operand in operands if operand is not None)


def made(shape: tuple[int, ...], like: Operand, dtype: str = "") -> Operand:
    """An output that the trace does not record."""
    return Operand(shape, dtype or like.dtype)
