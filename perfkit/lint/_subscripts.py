"""Brackets: what they give, and what checks are shown of them."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from perfkit.lint._site import Site
from perfkit.lint._value import COMPARED, NUMBER, SHAPE, UNKNOWN, Value, elements, join

if TYPE_CHECKING:
    from perfkit.lint._flow import Flow

NAMED_INDEX = re.compile(r"(^|_)(idx|index|indices|inds?|perm|rows|cols)$")
_TELLING = ("tensor", "tree", "sequence", "array")


def read(flow: Flow, node: ast.Subscript) -> Value:
    """`x[...]`."""
    owner = flow.value(node.value)
    index = _index(flow, node.slice)
    if any(part.kind in _TELLING or part.kind == "slice" or part == COMPARED for part in index):
        site = Site(node, flow.place, receiver=owner, index=index)
        flow.show(flow.hooks.events["read"], "read", site)
    return _taken(owner, index, node.slice)


def write(flow: Flow, node: ast.Subscript, value: Value) -> None:
    """`x[...] = value`."""
    owner = flow.value(node.value)
    index = _index(flow, node.slice)
    if owner.holds_data:
        flow.work += 1
    if any(part.kind in _TELLING or part == COMPARED for part in index):
        site = Site(node, flow.place, receiver=owner, index=index, value=value)
        flow.show(flow.hooks.events["write"], "write", site)
    if isinstance(node.value, ast.Name) and owner.kind in ("mapping", "sequence"):
        inner = join(elements_of(owner), value) if owner.inner else value
        flow.names[node.value.id] = owner._replace(inner=(inner,), positional=False)


def elements_of(owner: Value) -> Value:
    """What a key or an unknown index gives."""
    if owner.kind == "mapping":
        return owner.inner[0] if owner.inner else UNKNOWN
    return elements(owner)


def _index(flow: Flow, node: ast.expr) -> list[Value]:
    """One value per dimension; a slice carries its bounds that are tensors."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    found = []
    for part in parts:
        if isinstance(part, ast.Slice):
            bounds = [flow.value(b) for b in (part.lower, part.upper, part.step) if b is not None]
            data = tuple(bound for bound in bounds if bound.holds_data)
            found.append(Value("slice" if data else "all", inner=data))
        else:
            value = flow.value(part)
            if value.dtype is None and value.holds_data and _named_mask(part):
                value = value._replace(dtype="bool", sure=min(value.sure, 2))
            elif value.dtype is None and value.holds_data and NAMED_INDEX.search(_name(part)):
                value = value._replace(dtype="int")
                if isinstance(part, (ast.Subscript, ast.Call)) and value.kind == "tree":
                    value = value._replace(kind="tensor", sure=2)  # edge_index[0]
            found.append(value)
    return found


def _name(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript) or _reshaped(node):
        node = node.value if isinstance(node, ast.Subscript) else node.func.value  # type: ignore[attr-defined]
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _reshaped(node: ast.expr) -> bool:
    """`index.view(-1)`."""
    func = node.func if isinstance(node, ast.Call) else None
    return isinstance(func, ast.Attribute) and func.attr in (
        "view",
        "reshape",
        "flatten",
        "squeeze",
    )


def _named_mask(node: ast.expr) -> bool:
    while isinstance(node, (ast.Subscript, ast.UnaryOp)):
        node = node.value if isinstance(node, ast.Subscript) else node.operand
    name = _name(node)
    return "mask" in name.lower() and "idx" not in name and "ind" not in name


def _taken(owner: Value, index: list[Value], node: ast.expr) -> Value:
    kind = owner.kind
    if kind == "tensor":
        if len(index) == 1 and index[0].kind in ("text",):
            return owner._replace(kind="tree", rank=None)
        return owner._replace(rank=_rank(owner, index))
    if kind == "shape":
        return NUMBER if index and index[0].kind != "all" else SHAPE
    if kind == "sequence" and owner.positional and isinstance(node, ast.Constant):
        at = node.value
        if isinstance(at, int) and at < len(owner.inner):
            return owner.inner[at]
        return UNKNOWN
    if kind in ("sequence", "mapping"):
        return owner if index and index[0].kind == "all" else elements_of(owner)
    if kind in ("tree", "net", "array", "loader"):
        return owner
    return UNKNOWN


def _rank(owner: Value, index: list[Value]) -> int | None:
    if owner.rank is None:
        return None
    rank = owner.rank
    for part in index:
        if part.kind == "number" or (part.kind == "tensor" and part.rank == 0):
            rank -= 1
        elif part.kind == "none":
            rank += 1
        elif part.kind not in ("all", "slice"):
            return None
    return max(rank, 0)
