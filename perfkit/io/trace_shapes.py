"""Shapes, dtypes, strides and plain arguments of a trace's operators (`record_shapes=True`).

Kineto writes up to four parallel lists per operator, one entry per argument: "Input Dims", "Input
type", and in newer traces "Input Strides" and "Concrete Inputs". Few combinations serve very many
calls, so each is kept once, undecoded; `signature` decodes one when somebody asks.

What torch 2.13's profiler leaves out: the dtype of the tensors in a list, and every list of more than
30 tensors, whose entry then looks like that of an empty one.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from perfkit.io._patient import Unsound
from perfkit.io._raw import NO_ARGS
from perfkit.io._repairs import Repair, Repairs
from perfkit.model.events import Ints
from perfkit.model.shapes import Shapes

_NONE = -1
_KEY = 12  # bytes before the first list that tell which list it is
_LONGEST = 1 << 16
_ALL = 2 << 20  # bytes of all signatures, some 15,000: real traces have hundreds
_SEEN = 4 << 20  # bytes of raw texts that are remembered
_ABSENT = b"null"
_TENSORS = ("TensorList", "OptionalTensorList")
_TYPE_OF_MANY = (*_TENSORS, "ScalarList", "GenericList")


class _Lists(msgspec.Struct, gc=False):
    dims: msgspec.Raw = msgspec.field(name="Input Dims", default=NO_ARGS)
    dims_old: msgspec.Raw = msgspec.field(name="Input dims", default=NO_ARGS)
    types: msgspec.Raw = msgspec.field(name="Input type", default=NO_ARGS)
    strides: msgspec.Raw = msgspec.field(name="Input Strides", default=NO_ARGS)
    concrete: msgspec.Raw = msgspec.field(name="Concrete Inputs", default=NO_ARGS)


_decode = msgspec.json.Decoder(_Lists).decode


class ShapeCodes:
    """Gathers the signatures while a trace is read; rows are positions in the file.

    An operator's arguments are decoded only if their text was not seen before: what lies between the
    first and the last bracket tells the signature, and mostly nothing else.
    """

    def __init__(self, repairs: Repairs) -> None:
        self._repairs = repairs
        self._codes: dict[str, int] = {}
        self._size = 0
        self._seen: dict[bytes, int] = {}
        self._seen_size = 0
        self._parts: list[tuple[Ints, Ints]] = []

    def add(self, args: Sequence[msgspec.Raw], order: Ints) -> None:
        """Take the arguments of some operators, and their positions in the file."""
        codes, seen = array("i"), self._seen
        for raw in args:
            text = bytes(raw)
            first = text.find(b"[")
            if first < 0:
                codes.append(_NONE)
                continue
            key = text[max(0, first - _KEY) : text.rfind(b"]")]
            code = seen.get(key)
            codes.append(self._new(key, text) if code is None else code)
        column = np.frombuffer(codes, np.int32)
        known = column != _NONE
        if known.any():
            self._parts.append((order[known], column[known]))

    def shapes(self, order: Ints) -> Shapes:
        """All of them; `order` is the position in the file of each row of the events."""
        if not self._parts:
            return Shapes()
        wanted = np.concatenate([part for part, _ in self._parts])
        code = np.concatenate([part for _, part in self._parts])
        row_at = np.zeros(int(order.max()) + 1, np.int32)
        row_at[order] = np.arange(len(order), dtype=np.int32)
        rows = row_at[wanted].astype(np.int64)
        ascending = np.argsort(rows)
        return Shapes(rows[ascending], code[ascending], tuple(self._codes))

    def _new(self, key: bytes, text: bytes) -> int:
        """The code of arguments whose key was not seen, or forgotten."""
        if self._seen_size > _SEEN:
            self._seen.clear()
            self._seen_size = 0
        self._seen_size += len(key)
        code = self._seen[key] = self._decoded(text)
        return code

    def _decoded(self, text: bytes) -> int:
        """The number of a signature; `_NONE` where there is none, or none that can be kept."""
        if self._size > _ALL:
            self._repairs.note(Repair.MANY_SHAPES)
            return _NONE
        try:
            lists = _decode(text)
        except Unsound:
            return _NONE
        dims = lists.dims_old if lists.dims is NO_ARGS else lists.dims
        if dims is NO_ARGS:
            return _NONE
        parts = (dims, lists.types, lists.strides, lists.concrete)
        found = b"[%b]" % b",".join(_ABSENT if part is NO_ARGS else bytes(part) for part in parts)
        readable = found.decode("utf-8", "replace")
        if readable in self._codes:
            return self._codes[readable]
        if len(found) > _LONGEST:
            self._repairs.note(Repair.LONG_SHAPES)
            return _NONE
        self._size += len(found)
        return self._codes.setdefault(readable, len(self._codes))


@dataclass(frozen=True)
class Argument:
    """One argument as recorded.

    Attributes:
        type: as the profiler names it: "c10::BFloat16" of a tensor, "TensorList", "Scalar"; empty
            where nothing was recorded.
        shapes: of a tensor one shape, of a list one per tensor; empty of anything else, and of a list
            that was left out.
        strides: as `shapes`, in elements; None where not recorded.
        text: of a plain argument, as printed; empty where not recorded.
    """

    type: str = ""
    shapes: tuple[tuple[int, ...], ...] = ()
    strides: tuple[tuple[int, ...] | None, ...] = ()
    text: str = ""

    @property
    def is_tensors(self) -> bool:
        """Recorded as a list of tensors."""
        return self.type in _TENSORS

    @property
    def is_list(self) -> bool:
        """Recorded as a list of tensors or scalars."""
        return self.type in _TYPE_OF_MANY


def signature(text: str) -> tuple[Argument, ...] | None:
    """The arguments in one text of `Shapes`; None where it is damaged beyond use.

    Entries that are not what they should be count as not recorded; strides of another length than
    their shape are dropped.
    """
    try:
        found = msgspec.json.decode(text)
    except Unsound:
        return None
    if not isinstance(found, list) or len(found) != 4 or not isinstance(found[0], list):
        return None
    dims, types, strides, concrete = (part if isinstance(part, list) else [] for part in found)
    several = max(len(dims), len(types))
    return tuple(
        _argument(_at(dims, i), _at(types, i), _at(strides, i), _at(concrete, i))
        for i in range(several)
    )


def _argument(dims: Any, kind: Any, strides: Any, concrete: Any) -> Argument:
    kind = kind if isinstance(kind, str) else ""
    text = concrete if isinstance(concrete, str) else ""
    if kind in _TYPE_OF_MANY:
        inner = dims if isinstance(dims, list) else []
        shapes = tuple(_sizes(each) for each in inner)
        if any(shape is None for shape in shapes):
            return Argument(kind, text=text)
    elif kind in ("", "Scalar") or kind.startswith("nullptr") or not isinstance(dims, list):
        return Argument(kind if kind == "Scalar" else "", text=text)
    else:
        strides = [strides]
        shapes = (_sizes(dims),)
        if shapes[0] is None:
            return Argument(text=text)
    known = strides if isinstance(strides, list) else []
    fitting = tuple(_fitting(_at(known, i), shape) for i, shape in enumerate(shapes))
    return Argument(kind, tuple(shape for shape in shapes if shape is not None), fitting, text)


def _fitting(strides: Any, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    found = _sizes(strides)
    return found if shape is not None and found is not None and len(found) == len(shape) else None


def _sizes(value: Any) -> tuple[int, ...] | None:
    """A list of sizes; None for anything else."""
    if not isinstance(value, list):
        return None
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**62 for n in value):
        return None
    return tuple(value)


def _at(values: Sequence[Any], index: int) -> Any:
    return values[index] if index < len(values) else None
