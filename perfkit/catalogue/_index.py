"""The catalogue as look-up tables, built once from the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from perfkit.base import plugins
from perfkit.catalogue._call import Call, Seen
from perfkit.model.syncs import Direction

Rule = Callable[[Call], "Seen | None"]
_ROOM = "perfkit.catalogue"


@dataclass(frozen=True)
class Page:
    """One kind of sync: its name, what it moves, the one-line fix, and the whole page as text."""

    kind: str
    direction: Direction
    fix: str
    text: str


@cache
def page(kind: str) -> Page:
    """The page of one kind.

    Raises:
        PerfkitError: no such kind; the message lists those there are.
    """
    module = plugins.module(_ROOM, kind)
    return Page(kind, module.DIRECTION, module.FIX, (module.__doc__ or "").strip())


@cache
def rules() -> dict[str, tuple[tuple[str, Rule], ...]]:
    """(kind, rule) pairs by ATen operator with overload, such as `aten::index.Tensor`."""
    table: dict[str, tuple[tuple[str, Rule], ...]] = {}
    for kind, module in _pages().items():
        for op, rule in getattr(module, "OPS", {}).items():
            table[op] = (*table.get(op, ()), (kind, rule))
    return table


@cache
def backward_rules() -> dict[str, tuple[str, Rule]]:
    """(kind, rule) by forward operator whose gradient synchronises in C++ that no mode can see."""
    return {
        op: (kind, rule)
        for kind, module in _pages().items()
        for op, rule in getattr(module, "BACKWARD", {}).items()
    }


@cache
def inside() -> dict[str, str]:
    """Kind by file of torch (relative, with forward slashes) whose reads belong to that kind."""
    return {
        file: kind for kind, module in _pages().items() for file in getattr(module, "INSIDE", ())
    }


def _pages() -> dict[str, ModuleType]:
    return plugins.modules(_ROOM)
