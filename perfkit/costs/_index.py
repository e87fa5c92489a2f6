"""All families together: the cost of a call, or why it is not known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from perfkit.base import plugins
from perfkit.costs import _fused
from perfkit.costs._call import Call, Cost, CostFunction, Unknown
from perfkit.costs._composites import COMPOSITES

ROOM = "perfkit.costs"

_TRITON = "triton_"
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a model raises where a shape or number is not what the schema says: traces can hold anything."""

_custom: dict[str, CostFunction] = {}


@dataclass(frozen=True)
class NotKnown:
    """A call that no cost could be given for, and why. It is never zero."""

    reason: str


def register_cost(name: str, function: CostFunction) -> None:
    """Give a custom operator a cost, for what is recorded live and for traces with shapes.

        from perfkit.costs import Call, Cost

        def gate(call: Call) -> Cost:
            x = call.operand(0)
            return Cost(flops=2 * x.elements, read=x.nbytes, written=x.nbytes, dtype=x.dtype)

        perfkit.register_cost("mylib::gate", gate)

    Args:
        name: with namespace, without overload: `mylib::fused_gate`.
        function: from a `Call` to a `Cost`; raises `perfkit.costs.Unknown` with a reason where it
            cannot tell.

    Raises:
        ValueError: `name` has no namespace.
    """
    if "::" not in name:
        raise ValueError(f"{name!r} has no namespace: write it as mylib::{name}")
    _custom[name] = function


def has_cost(name: str) -> bool:
    """A model is there for this operator."""
    if name in _custom or name in _names():
        return True
    return name.startswith(_TRITON) and bool(_fused.sources(name, _names()))


def is_free(name: str) -> bool:
    """The operator moves nothing: a view or an allocation."""
    return name in _free() and name not in _custom


def is_composite(name: str) -> bool:
    """The operator may be made of others: what stands beneath it goes before a cost of its own."""
    return name in COMPOSITES and name not in _custom


def cost(call: Call) -> Cost | NotKnown:
    """FLOPs and bytes of a call; `NotKnown` with the reason where there is no model or no shape."""
    try:
        found = _cost(call)
    except Unknown as error:
        return NotKnown(str(error))
    except _UNFIT as error:
        return NotKnown(f"{call.name} was recorded with arguments unlike its schema ({error})")
    amounts = (found.flops, found.read, found.written)
    if not all(isinstance(amount, int) and amount >= 0 for amount in amounts):
        return NotKnown(f"{call.name}: {amounts} came out as FLOPs and bytes")
    return found


def _cost(call: Call) -> Cost:
    function = _custom.get(call.name) or _functions().get(call.name)
    if function is not None:
        return function(call)
    if call.name in _free():
        return Cost(0, 0, 0)
    if call.name.startswith(_TRITON):
        return _fused.kernel(call, _names(), _cost)
    raise Unknown(f"no cost model for {call.name}")


def family(name: str) -> str | None:
    """The file that has this operator's model; None where there is none."""
    return _families().get(name)


@cache
def _functions() -> dict[str, CostFunction]:
    return {
        name: function
        for module in plugins.modules(ROOM).values()
        for name, function in module.COSTS.items()
    }


@cache
def _names() -> frozenset[str]:
    return frozenset(_functions()) | _free()


@cache
def _families() -> dict[str, str]:
    return {
        name: family for family, module in plugins.modules(ROOM).items() for name in module.COSTS
    }


@cache
def _free() -> frozenset[str]:
    modules = plugins.modules(ROOM).values()
    return frozenset(name for module in modules for name in getattr(module, "FREE", ()))
