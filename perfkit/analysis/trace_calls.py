"""Operator calls of a trace as costs see them: the profiler's types and printed values, understood."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from perfkit.costs import _index
from perfkit.costs._call import Call, Cost, Operand
from perfkit.io.trace_shapes import Argument, signature

DTYPES = {
    "float": "float32", "double": "float64", "int": "int32", "long int": "int64", "long": "int64",
    "long long": "int64", "__int64": "int64", "short int": "int16", "short": "int16",
    "signed char": "int8", "char": "int8", "unsigned char": "uint8", "bool": "bool",
    "unsigned short": "uint16", "short unsigned int": "uint16", "unsigned int": "uint32",
    "unsigned long": "uint64", "long unsigned int": "uint64", "Half": "float16",
    "BFloat16": "bfloat16", "complex<float>": "complex64", "complex<double>": "complex128",
    "complex<Half>": "complex32", "complex<c10::Half>": "complex32",
}  # fmt: skip
"""torch's names of dtypes by the names of their C++ types, without `c10::`."""

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?|[+-]?(inf|nan)")
_MOST = 4096
_ABSURD = 2**56
_OPAQUE = re.compile(r"OpaqueType<(\d+)u?>")
_FUNCTOR = re.compile(r"Functor<(c10::BFloat16|c10::Half|float|double)\b")
_BY_SIZE = {"1": "uint8", "2": "float16", "4": "float32", "8": "float64", "16": "complex128"}
NO_SHAPES = "its shapes are not recorded"
NO_LIST = "the profiler did not record the tensors of its list"
NO_LIST_DTYPE = "the profiler does not record the dtype of tensors in a list"


def dtype_of(written: str) -> str:
    """torch's name of a dtype: `c10::BFloat16` is bfloat16, `float` float32."""
    plain = written.removeprefix("c10::")
    return DTYPES.get(plain, plain.lower())


def value_of(text: str) -> Any:
    """A printed argument as number, bool, text, or tuple of these; None where nothing was printed."""
    text = text.strip()
    if len(text) > 1 and text[0] == "[" and text[-1] == "]":
        parts = text[1:-1].split(",")[:_MOST]
        return tuple(_scalar(part.strip()) for part in parts) if text[1:-1].strip() else ()
    return _scalar(text)


def _scalar(text: str) -> Any:
    if text in ("", "None"):
        return None
    if text in ("True", "False"):
        return text == "True"
    if _WHOLE.fullmatch(text):
        return int(text)
    if _REAL.fullmatch(text):
        return float(text)
    return text.strip('"')


def call_of(name: str, arguments: Sequence[Argument]) -> Call:
    """One call; tensors in lists are without dtype, which the profiler does not write."""
    return Call(name, tuple(map(_input, arguments)))


def _input(argument: Argument) -> Any:
    operands = tuple(
        Operand(shape, "" if argument.is_list else dtype_of(argument.type), strides)
        for shape, strides in zip(argument.shapes, argument.strides, strict=True)
    )
    if argument.is_list:
        return operands or value_of(argument.text)
    return operands[0] if operands else value_of(argument.text)


def cost_by_kernels(call: Call, kernels: Iterable[str]) -> Cost | _index.NotKnown:
    """What a call on a list of tensors costs where its kernels' names tell the size of an element.

    The dtype stays unnamed where only the size is told (`OpaqueType<2u>`).
    """
    told = {_element(name) for name in kernels} - {None}
    if len(told) != 1:
        return _index.NotKnown(NO_LIST_DTYPE)
    ((dtype, stand_in),) = (pair for pair in told if pair is not None)
    inputs = tuple(
        tuple(_typed(inner, stand_in) for inner in value) if isinstance(value, tuple) else value
        for value in call.inputs
    )
    found = _cost(replace(call, inputs=inputs))
    return found if isinstance(found, _index.NotKnown) else replace(found, dtype=dtype)


def _element(kernel: str) -> tuple[str, str] | None:
    """The dtype that a kernel's name tells, and one of the same size; None where it tells none."""
    opaque = _OPAQUE.search(kernel)
    if opaque is not None:
        stand_in = _BY_SIZE.get(opaque[1])
        return None if stand_in is None else ("", stand_in)
    functor = _FUNCTOR.search(kernel) if "multi_tensor_apply" in kernel else None
    return None if functor is None else (dtype_of(functor[1]), dtype_of(functor[1]))


def _typed(value: Any, dtype: str) -> Any:
    return replace(value, dtype=value.dtype or dtype) if isinstance(value, Operand) else value


def cost_of(name: str, text: str | None) -> tuple[Call, Cost | _index.NotKnown]:
    """The call behind a signature (`Shapes.texts`; None where there is none), and what it costs."""
    if _index.is_free(name):
        return Call(name, ()), Cost(0, 0, 0)
    arguments = None if text is None else signature(text)
    if arguments is None:
        return Call(name, ()), _index.NotKnown(NO_SHAPES)
    call = call_of(name, arguments)
    found = _cost(call)
    if isinstance(found, _index.NotKnown) and _index.has_cost(name):
        if any(each.is_tensors and not each.shapes for each in arguments):
            return call, _index.NotKnown(NO_LIST)
        if any(not operand.dtype for operand in call.operands):
            return call, _index.NotKnown(NO_LIST_DTYPE)
    return call, found


def _cost(call: Call) -> Cost | _index.NotKnown:
    try:
        found = _index.cost(call)
    except (LookupError, ValueError, TypeError, ArithmeticError) as error:
        # nobody promises that what a file calls aten::mm has the arguments of one
        reason = f"its recorded arguments do not fit {call.name} ({type(error).__name__})"
        return _index.NotKnown(reason)
    if isinstance(found, Cost) and max(found.flops, found.nbytes) > _ABSURD:
        return _index.NotKnown("its recorded sizes are absurd")
    return found
