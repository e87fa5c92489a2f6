"""Calls written by hand: operands by shape, costs that must or must not be known."""

from __future__ import annotations

from typing import Any

from perfkit.costs import Call, Cost, Operand
from perfkit.costs._index import NotKnown, cost


def f32(*shape: int, strides: tuple[int, ...] | None = None) -> Operand:
    """Single precision, 4 bytes."""
    return Operand(shape, "float32", strides)


def bf16(*shape: int) -> Operand:
    """Half precision, 2 bytes."""
    return Operand(shape, "bfloat16")


def i64(*shape: int) -> Operand:
    """Whole numbers, 8 bytes."""
    return Operand(shape, "int64")


def known(name: str, *inputs: Any, outputs: tuple[Operand, ...] = ()) -> Cost:
    """The cost of an ATen call, which must be known."""
    found = cost(Call(f"aten::{name}", inputs, outputs))
    assert isinstance(found, Cost), found
    return found


def moves(name: str, *inputs: Any, outputs: tuple[Operand, ...] = ()) -> tuple[int, int, int]:
    """FLOPs, bytes read, bytes written."""
    found = known(name, *inputs, outputs=outputs)
    return found.flops, found.read, found.written


def why_not(name: str, *inputs: Any) -> str:
    """Why the cost is not known."""
    found = cost(Call(f"aten::{name}", inputs))
    assert isinstance(found, NotKnown), found
    return found.reason
