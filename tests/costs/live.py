"""Operators really called on CPU, and what they cost with and without their outputs recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from perfkit.capture.costs import call_of
from perfkit.costs import Call, Cost
from perfkit.costs._index import cost
from perfkit.costs._shapes import SCALAR_TYPES


class Calls(TorchDispatchMode):
    """Keeps every call that reaches it, as shapes.

    Attributes:
        seen: as the live recorder has them, with outputs.
        traced: the same as a trace has them: every argument of the schema, dtypes by number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Call] = []
        self.traced: list[Call] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        self.seen.append(call_of(func, args, kwargs, out))
        rest = func._schema.arguments[len(args) :]
        every = [*args, *(kwargs.get(one.name, one.default_value) for one in rest)]
        numbered = [_number(value) for value in every]
        self.traced.append(call_of(func, numbered, {}, ()))
        return out


def _number(value: Any) -> Any:
    if isinstance(value, torch.dtype):
        return SCALAR_TYPES.index(str(value).removeprefix("torch."))
    return value


def calls_of(work: Callable[[], Any]) -> list[Call]:
    """Every call that `work` makes."""
    with Calls() as calls:
        work()
    return calls.seen


def recorded_and_traced(work: Callable[[], Any]) -> list[tuple[Call, Call]]:
    """Every call as the live recorder has it, and as a trace has it."""
    with Calls() as calls:
        work()
    return list(zip(calls.seen, calls.traced, strict=True))


def call_named(name: str, work: Callable[[], Any]) -> Call:
    """The only call of that name."""
    found = [call for call in calls_of(work) if call.name == name]
    assert len(found) == 1, [call.name for call in found]
    return found[0]


def cost_of(name: str, work: Callable[[], Any]) -> Cost:
    """The cost of the only call of that name, which must be known."""
    found = cost(call_named(name, work))
    assert isinstance(found, Cost), found
    return found


def rand(*shape: int, dtype: torch.dtype = torch.float32, grad: bool = False) -> torch.Tensor:
    """A tensor of random numbers."""
    return torch.rand(*shape).to(dtype).requires_grad_(grad)
