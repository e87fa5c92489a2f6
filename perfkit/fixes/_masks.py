"""Masks: whether one has the shape of what it selects from, and writes through one."""

from __future__ import annotations

import math
from typing import NamedTuple

import libcst as cst

from perfkit.fixes import _known, _match
from perfkit.fixes._tree import Block, File

_TESTS = ("isnan", "isinf", "isfinite")
_ELEMENTWISE = (
    "abs",
    "float",
    "double",
    "half",
    "neg",
    "exp",
    "sigmoid",
    "tanh",
    "detach",
    "clone",
)
_RESHAPES = ("unsqueeze_", "squeeze_", "t_", "transpose_", "resize_", "resize_as_", "set_", "data")
_HALF_MAX = 65504
"""The largest number of a float16: up to there both ways of writing agree for every dtype."""
ASSIGNED = (
    r"(?:^|[:;])[ \t]*\w+\[\s*(?!-?\d+\s*\])(?P<first>[^\w\"']*\w+)"
    r"(?:[^,:\"'()]|\((?:[^()]|\([^()]*\))*\)){0,300}?\]"
)
"""The left side of a write through a mask, as a regular expression."""


class Write(NamedTuple):
    """`x[mask] = value` (or an operator such as `+=`) by its parts."""

    x: cst.Name
    mask: cst.BaseExpression
    value: cst.BaseExpression


def write(file: File, node: cst.CSTNode) -> Write | None:
    """The parts of a write through a mask, if x is a tensor and the mask a boolean one of its shape."""
    if isinstance(node, cst.Assign) and len(node.targets) == 1:
        target = node.targets[0].target
    elif isinstance(node, cst.AugAssign):
        target = node.target
    else:
        return None
    if not isinstance(target, cst.Subscript) or not isinstance(target.value, cst.Name):
        return None
    if len(target.slice) != 1 or not isinstance(target.slice[0].slice, cst.Index):
        return None
    where = target.slice[0].slice.value
    if not _known.mask(file, where) or not covers(file, where, target.value):
        return None
    if not (_known.tensor(file, target.value) or _only_of_tensors(file, where, target.value)):
        return None
    return Write(target.value, where, node.value)


def plain(value: cst.BaseExpression) -> bool:
    """A literal number that can be written alike in either way, whatever the dtype."""
    number = _match.number(value)
    return number is not None and (not math.isfinite(number) or abs(number) <= _HALF_MAX)


def covers(file: File, where: cst.BaseExpression, x: cst.Name) -> bool:
    """Whether a mask has the shape of x, given that `x[mask]` works.

    A comparison of x with anything is at least as large as x, and a larger one cannot index it.
    """
    made = _made(file, where, x)
    return made is not None and _about(file, made, x) and not _reshaped(file, x)


def _reshaped(file: File, x: cst.Name) -> bool:
    """Whether the function changes the shape of x in place."""
    parents = (file.parents[use] for use in file.scope(x).names.get(x.value, []))
    return any(isinstance(p, cst.Attribute) and p.attr.value in _RESHAPES for p in parents)


def _made(file: File, where: cst.BaseExpression, x: cst.Name) -> cst.BaseExpression | None:
    """The expression behind a mask, if neither it nor x was given a new value since."""
    if not isinstance(where, cst.Name):
        return where
    bound = [b for b in file.bindings(where, where.value) if b.how == "assign"]
    for one in reversed(bound):
        first = file.statement(one.node)
        block = file.block(first)
        last = next((n for n in (where, *file.above(where)) if n in block), None)
        if last is None or not isinstance(one.node, (cst.Assign, cst.AnnAssign)):
            continue
        between = block[block.index(first) + 1 : block.index(last) + 1]
        rebound = any(_binds(file, where, name, between) for name in (where.value, x.value))
        if between and not rebound and _straight(file, where, last):
            return one.value
    return None


def _straight(file: File, node: cst.CSTNode, last: cst.CSTNode) -> bool:
    """Whether only tests and `with` stand between a node and the statement around it."""
    simple = (cst.SimpleStatementLine, cst.IndentedBlock, cst.If, cst.Else, cst.With)
    for one in file.above(node):
        large = isinstance(one, (cst.BaseCompoundStatement, Block, cst.Else))
        if large and not isinstance(one, simple):
            return False
        if one is last:
            return True
    return node is last


def _binds(file: File, at: cst.CSTNode, name: str, statements: list[cst.CSTNode]) -> bool:
    nodes = [binding.node for binding in file.bindings(at, name)]
    return any(parent in statements for node in nodes for parent in (node, *file.above(node)))


def _about(file: File, made: cst.CSTNode, x: cst.Name) -> bool:
    """Whether a boolean expression is computed element by element from x, among others."""
    if isinstance(made, cst.Comparison):
        sides = (made.left, made.comparisons[0].comparator)
        return len(made.comparisons) == 1 and any(_elementwise(side, x) for side in sides)
    if isinstance(made, cst.UnaryOperation):
        return isinstance(made.operator, cst.BitInvert) and _about(file, made.expression, x)
    if isinstance(made, cst.BinaryOperation):
        return _about(file, made.left, x) or _about(file, made.right, x)
    if isinstance(made, cst.Call):
        return _tested(file, made, x)
    return False


def _tested(file: File, call: cst.Call, x: cst.Name) -> bool:
    """`torch.isnan(x)`, `x.isnan()` and their like."""
    dotted = file.dotted(call.func)
    if dotted.startswith("torch.") and dotted[6:] in _TESTS and len(call.args) == 1:
        return _elementwise(call.args[0].value, x)
    receivers = (_match.method(call, name) for name in _TESTS)
    return any(_elementwise(one, x) for one in receivers if one is not None)


def _only_of_tensors(file: File, where: cst.BaseExpression, x: cst.Name) -> bool:
    """`torch.isnan(x)` takes tensors only."""
    made = _made(file, where, x)
    if not isinstance(made, cst.Call) or len(made.args) != 1:
        return False
    dotted = file.dotted(made.func)
    return dotted in {f"torch.{name}" for name in _TESTS} and file.same(made.args[0].value, x)


def _elementwise(node: cst.CSTNode, x: cst.Name) -> bool:
    if isinstance(node, cst.Name):
        return node.value == x.value
    receivers = (_match.method(node, name) for name in _ELEMENTWISE)
    return any(_elementwise(one, x) for one in receivers if one is not None)
