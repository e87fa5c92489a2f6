"""All families together: the cost of a call, or why it is not known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from perfkit.base import plugins
from perfkit.costs._call import Call, Cost, CostFunction, Unknown

ROOM = "perfkit.costs"

_custom: dict[str, CostFunction] = {}


@dataclass(frozen=True)
class NotKnown:
    """A call that no cost could be given for, and why. It is never zero."""

    reason: str


def register_cost(name: str, function: CostFunction) -> None:
    """Give a custom operator a cost.

    Args:
        name: with namespace, without overload: `mylib::fused_gate`.
        function: from a `Call` to a `Cost`; raises `Unknown` with a reason where it cannot tell.

    Raises:
        ValueError: `name` has no namespace.
    """
    if "::" not in name:
        raise ValueError(f"{name!r} has no namespace: write it as mylib::{name}")
    _custom[name] = function


def has_cost(name: str) -> bool:
    """A model is there for this operator."""
    return name in _custom or name in _functions() or name in _free()


def is_free(name: str) -> bool:
    """The operator moves nothing: a view or an allocation."""
    return name in _free() and name not in _custom


def cost(call: Call) -> Cost | NotKnown:
    """FLOPs and bytes of a call; `NotKnown` with the reason where there is no model or no shape."""
    function = _custom.get(call.name) or _functions().get(call.name)
    if function is None:
        if call.name in _free():
            return Cost(0, 0, 0)
        return NotKnown(f"no cost model for {call.name}")
    try:
        return function(call)
    except Unknown as error:
        return NotKnown(str(error))


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
def _families() -> dict[str, str]:
    return {
        name: family for family, module in plugins.modules(ROOM).items() for name in module.COSTS
    }


@cache
def _free() -> frozenset[str]:
    modules = plugins.modules(ROOM).values()
    return frozenset(name for module in modules for name in getattr(module, "FREE", ()))
