"""What the text proves about a value: a tensor (of which type), a number, a list of numbers.

Stricter than a guess: a name counts as a tensor only where an annotation says so, or every one of its
assignments in the function is one. Everything else is unknown, and an unknown value is never rewritten.
"""

from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from perfkit.fixes import _match
from perfkit.fixes._tree import Binding, File
from perfkit.fixes._words import (
    ALIKE,
    CASTS,
    DEFAULT_FLOATS,
    DTYPES,
    FLOATS,
    INTEGERS,
    MEANS,
    TENSORS,
    TRUTHS,
)

_F = "torch.nn.functional."
_ORDERED = (cst.LessThan, cst.LessThanEqual, cst.GreaterThan, cst.GreaterThanEqual)
_BITS = (cst.BitAnd, cst.BitOr, cst.BitXor)
_ARITHMETIC = (cst.Add, cst.Subtract, cst.Multiply)


class Known(NamedTuple):
    """`kind`: "tensor", "number", "list" (of numbers) or ""; `dtype`: "bool", "int", "float" or ""."""

    kind: str = ""
    dtype: str = ""


NOTHING = Known()
_KEPT = Known("as before")


def known(file: File, node: cst.CSTNode, _open: frozenset[str] = frozenset()) -> Known:
    """What is proven about an expression.

    `_open` holds names being looked up: `x = x + 1` makes a tensor of a tensor, so only the other
    assignments of x decide.
    """
    value = _match.number(node)
    if value is not None:
        return Known("number", "int" if isinstance(value, int) else "float")
    if isinstance(node, cst.Name):
        if node.value in ("True", "False"):
            return Known("number", "bool")
        return _name(file, node, _open)
    if isinstance(node, cst.Call):
        return _call(file, node, _open)
    if isinstance(node, cst.Comparison):
        return _comparison(file, node, _open)
    if isinstance(node, cst.UnaryOperation) and not isinstance(node.operator, cst.Not):
        inner = known(file, node.expression, _open)
        return inner if inner.kind == "tensor" else NOTHING
    if isinstance(node, cst.BinaryOperation):
        return _operation(file, node, _open)
    if isinstance(node, cst.Subscript):
        return _item(file, node, _open)
    if isinstance(node, cst.Attribute) and node.attr.value in ("data", "T", "mT"):
        inner = known(file, node.value, _open)
        return inner if inner.kind == "tensor" else NOTHING
    if isinstance(node, (cst.ListComp, cst.List)):
        return _list(file, node, _open)
    return NOTHING


def tensor(file: File, node: cst.CSTNode) -> bool:
    """Whether an expression is proven to be a tensor."""
    return known(file, node).kind == "tensor"


def mask(file: File, node: cst.CSTNode) -> bool:
    """Whether an expression is proven to be a boolean tensor."""
    return known(file, node) == Known("tensor", "bool")


def integer(file: File, node: cst.CSTNode) -> bool:
    """Whether an expression is proven to be a whole Python number."""
    return known(file, node) == Known("number", "int")


def annotation(file: File, node: cst.CSTNode) -> Known:
    """What an annotation promises."""
    text = file.code(node).strip("\"' ")
    plain = {"int": Known("number", "int"), "float": Known("number", "float")}
    if text in plain:
        return plain[text]
    if text in ("list[int]", "List[int]", "Sequence[int]", "tuple[int, ...]"):
        return Known("list", "int")
    spelled = cst.parse_expression(text) if text in ("Tensor", "torch.Tensor") else node
    return Known("tensor") if file.dotted(spelled) == "torch.Tensor" else NOTHING


def _name(file: File, node: cst.Name, seen: frozenset[str]) -> Known:
    if node.value in seen:
        return Known("tensor")  # a claim that its other assignments must bear out
    found = file.bindings(node, node.value)
    inside = seen | {node.value}
    values = {_binding(file, one, inside) for one in found} - {_KEPT}
    if not values:
        return NOTHING
    kinds = {one.kind for one in values}
    if len(kinds) != 1:
        return NOTHING
    dtypes = {one.dtype for one in values}
    return Known(kinds.pop(), dtypes.pop() if len(dtypes) == 1 else "")


def _binding(file: File, one: Binding, seen: frozenset[str]) -> Known:
    if one.how == "param" and one.value is not None:
        return annotation(file, one.value)
    if one.how == "assign" and one.value is not None:
        return known(file, one.value, seen)
    if one.how == "aug":
        return _augmented(file, one, seen)
    return NOTHING


def _augmented(file: File, one: Binding, seen: frozenset[str]) -> Known:
    """`x += y`: x stays a tensor of its type where it is one; a number may become anything."""
    assert isinstance(one.node, cst.AugAssign)
    name = one.node.target
    if not isinstance(name, cst.Name) or one.value is None:
        return NOTHING
    others = [b for b in file.bindings(name, name.value) if b.how != "aug"]
    before = {_binding(file, b, seen) for b in others}
    if {b.kind for b in before} == {"tensor"}:
        return _KEPT
    added = known(file, one.value, seen)
    return _KEPT if before == {added} and added.dtype == "int" else NOTHING


def _call(file: File, node: cst.Call, seen: frozenset[str]) -> Known:
    if file.builtin(node.func, "len"):
        return Known("number", "int")
    dotted = file.dotted(node.func)
    if dotted.startswith("torch."):
        return _of_torch(file, node, dotted, seen)
    if not isinstance(node.func, cst.Attribute) or dotted:
        return NOTHING
    receiver = known(file, node.func.value, seen)
    if receiver.kind != "tensor":
        return NOTHING
    return _of_method(file, node, node.func.attr.value, receiver, seen)


def _of_torch(file: File, node: cst.Call, dotted: str, seen: frozenset[str]) -> Known:
    if dotted.startswith(_F):
        name = dotted[len(_F) :]
    elif dotted.count(".") == 1:
        name = dotted[len("torch.") :]
    else:
        return NOTHING
    if _match.starred(node) or _match.keywords(node) & {"out", "return_inverse"}:
        return NOTHING
    said = _match.argument(node, -1, "dtype")
    if said is not None:
        everything = FLOATS | DEFAULT_FLOATS | INTEGERS | ALIKE | TENSORS | {"arange"}
        return Known("tensor", dtype_of(file, said)) if name in everything else NOTHING
    if name in FLOATS or name in DEFAULT_FLOATS:
        return Known("tensor", "float")
    if name in TRUTHS:
        return Known("tensor", "bool")
    if name in INTEGERS:
        return Known("tensor", "int")
    if name == "arange":
        whole = all(integer(file, a.value) for a in node.args if a.keyword is None)
        return Known("tensor", "int" if whole else "")
    if name in ALIKE and node.args:
        first = known(file, node.args[0].value, seen)
        return Known("tensor", first.dtype if first.kind == "tensor" else "")
    return Known("tensor") if name in TENSORS else NOTHING


def _of_method(
    file: File, node: cst.Call, name: str, receiver: Known, seen: frozenset[str]
) -> Known:
    if name in ("numel", "dim", "nelement", "ndimension") or (name == "size" and node.args):
        return Known("number", "int")
    if name == "item":
        return Known("number", receiver.dtype)
    if name in CASTS:
        return Known("tensor", CASTS[name])
    if name in ("max", "min", "median", "mode", "sort", "topk") and node.args:
        return NOTHING
    if name in TRUTHS:
        return Known("tensor", "bool")
    if name in INTEGERS:
        return Known("tensor", "int")
    if name in ("sum", "cumsum", "prod"):
        whole = receiver.dtype in ("bool", "int") and "dtype" not in _match.keywords(node)
        return Known("tensor", "int" if whole else receiver.dtype)
    if name in MEANS and "dtype" not in _match.keywords(node):
        return Known("tensor", "float")
    if name in ALIKE or name in ("max", "min"):
        return receiver
    if name == "to":
        return Known("tensor", dtype_of(file, node.args[0].value) if node.args else "")
    if name in TENSORS or name == "repeat_interleave":
        return Known("tensor")
    return NOTHING


def dtype_of(file: File, node: cst.CSTNode) -> str:
    """ "bool", "int" or "float" for a dtype that is spelled out; empty otherwise."""
    dotted = file.dotted(node)
    return DTYPES.get(dotted[len("torch.") :], "") if dotted.startswith("torch.") else ""


def _comparison(file: File, node: cst.Comparison, seen: frozenset[str]) -> Known:
    if len(node.comparisons) != 1:
        return NOTHING
    target = node.comparisons[0]
    sides = (known(file, node.left, seen), known(file, target.comparator, seen))
    count = sum(side.kind == "tensor" for side in sides)
    if isinstance(target.operator, _ORDERED) and count:
        return Known("tensor", "bool")
    both = all(side.kind in ("tensor", "number") for side in sides)
    if isinstance(target.operator, (cst.Equal, cst.NotEqual)) and count and both:
        return Known("tensor", "bool")
    return NOTHING


def _operation(file: File, node: cst.BinaryOperation, seen: frozenset[str]) -> Known:
    left, right = known(file, node.left, seen), known(file, node.right, seen)
    kinds = {left.kind, right.kind}
    dtypes = {left.dtype, right.dtype}
    if kinds == {"number"}:
        whole = dtypes == {"int"} and isinstance(node.operator, (*_ARITHMETIC, cst.FloorDivide))
        return Known("number", "int" if whole else "")
    if not kinds <= {"tensor", "number"} or "tensor" not in kinds:
        return NOTHING
    if isinstance(node.operator, _BITS):
        return Known("tensor", "bool" if dtypes == {"bool"} and kinds == {"tensor"} else "")
    if isinstance(node.operator, cst.Divide):
        return Known("tensor", "float")
    if isinstance(node.operator, _ARITHMETIC):
        if "float" in dtypes:
            return Known("tensor", "float")
        return Known("tensor", "int" if dtypes == {"int"} else "")
    return Known("tensor")


def _item(file: File, node: cst.Subscript, seen: frozenset[str]) -> Known:
    value = node.value
    if isinstance(value, cst.Attribute) and value.attr.value == "shape":
        one = len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Index)
        whole = one and known(file, value.value, seen).kind == "tensor"
        return Known("number", "int") if whole else NOTHING
    inner = known(file, value, seen)
    return inner if inner.kind == "tensor" else NOTHING


def _list(file: File, node: cst.ListComp | cst.List, seen: frozenset[str]) -> Known:
    if isinstance(node, cst.ListComp):
        values = {known(file, node.elt, seen)}
    else:
        values = {known(file, element.value, seen) for element in node.elements}
    return Known("list", "int") if values == {Known("number", "int")} else NOTHING
