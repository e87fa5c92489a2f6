"""Small questions about expressions, and new expressions from text."""

from __future__ import annotations

import re

import libcst as cst

_REPEATABLE = re.compile(
    r"[\w.]+|len\([\w.]+\)|[\w.]+\.(size|numel)\(-?\d*\)|[\w.]+\.shape\[-?\d+\]"
)


def method(node: cst.CSTNode, name: str) -> cst.BaseExpression | None:
    """What `.name()` without arguments is called on; None for anything else."""
    if isinstance(node, cst.Call) and not node.args:
        func = node.func
        if isinstance(func, cst.Attribute) and func.attr.value == name:
            return func.value
    return None


def argument(call: cst.Call, position: int, name: str) -> cst.BaseExpression | None:
    """An argument by position (-1: by name only) or name."""
    for number, arg in enumerate(call.args):
        if arg.star:
            return None
        if arg.keyword is not None and arg.keyword.value == name:
            return arg.value
        if arg.keyword is None and number == position:
            return arg.value
    return None


def starred(call: cst.Call) -> bool:
    """Whether some arguments cannot be seen."""
    return any(arg.star for arg in call.args)


def keywords(call: cst.Call) -> set[str]:
    """Names of the keyword arguments."""
    return {arg.keyword.value for arg in call.args if arg.keyword is not None}


def true(node: cst.CSTNode | None) -> bool:
    """The literal True."""
    return isinstance(node, cst.Name) and node.value == "True"


def false(node: cst.CSTNode | None) -> bool:
    """The literal False."""
    return isinstance(node, cst.Name) and node.value == "False"


def number(node: cst.CSTNode) -> float | None:
    """A literal number, signs and `float("inf")` included; an int stays an int."""
    if isinstance(node, cst.Integer):
        return int(node.value.replace("_", ""), 0)
    if isinstance(node, cst.Float):
        return float(node.value.replace("_", ""))
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, (cst.Minus, cst.Plus)):
        inner = number(node.expression)
        if inner is None:
            return None
        return -inner if isinstance(node.operator, cst.Minus) else inner
    if isinstance(node, cst.Call) and len(node.args) == 1 and not keywords(node):
        text = node.args[0].value
        named = isinstance(node.func, cst.Name) and node.func.value == "float"
        if named and isinstance(text, cst.SimpleString):
            return _named(str(text.evaluated_value))
    if not isinstance(node, cst.Attribute) or not isinstance(node.value, cst.Name):
        return None
    known = node.value.value in ("math", "torch") and node.attr.value in ("inf", "nan")
    return float(node.attr.value) if known else None


def _named(text: str) -> float | None:
    return float(text) if text.strip("+- ").lower() in ("inf", "infinity", "nan") else None


def expression(text: str, like: cst.BaseExpression) -> cst.BaseExpression:
    """A new expression in the place, and within the parentheses, of another."""
    return cst.parse_expression(text).with_changes(lpar=like.lpar, rpar=like.rpar)


def with_keyword(call: cst.Call, name: str, value: str) -> cst.Call:
    """The call with one more argument, laid out as its others are."""
    spaced = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    new = cst.Arg(cst.parse_expression(value), cst.Name(name), equal)
    if not call.args:
        return call.with_changes(args=[new])
    *others, last = call.args
    if isinstance(last.comma, cst.Comma):
        between = others[-1].comma if others else cst.Comma(call.whitespace_before_args)
        new = new.with_changes(comma=last.comma)
        last = last.with_changes(comma=between)
    else:
        new = new.with_changes(whitespace_after_arg=last.whitespace_after_arg)
        last = last.with_changes(comma=spaced, whitespace_after_arg=cst.SimpleWhitespace(""))
    return call.with_changes(args=[*others, last, new])


def without_keyword(call: cst.Call, name: str) -> cst.Call:
    """The call without a keyword argument."""
    kept = [arg for arg in call.args if arg.keyword is None or arg.keyword.value != name]
    if kept and call.args[-1] not in kept:
        kept[-1] = _as_last(kept[-1], call.args[-1])
    return call.with_changes(args=kept)


def _as_last(arg: cst.Arg, removed: cst.Arg) -> cst.Arg:
    """An argument laid out as the last one was; a comment behind it stays."""
    trailing = isinstance(removed.comma, cst.Comma)
    space = removed.comma.whitespace_after if trailing else removed.whitespace_after_arg  # type: ignore[union-attr]
    own = arg.comma.whitespace_after if isinstance(arg.comma, cst.Comma) else space
    wide = cst.ParenthesizedWhitespace
    if isinstance(own, wide) and isinstance(space, wide):
        comma = cst.Comma(whitespace_after=own.with_changes(last_line=space.last_line))
        return arg.with_changes(comma=comma)
    if trailing:
        return arg.with_changes(comma=removed.comma)
    return arg.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=space)


def with_value(call: cst.Call, name: str, value: str) -> cst.Call:
    """The call with another value for a keyword argument."""
    args = [
        arg.with_changes(value=cst.parse_expression(value))
        if arg.keyword is not None and arg.keyword.value == name
        else arg
        for arg in call.args
    ]
    return call.with_changes(args=args)


def lines(text: str) -> list[cst.BaseStatement | cst.SimpleStatementLine]:
    """Statements from text, as one would write them at the margin."""
    return list(cst.parse_module(text).body)


def receiver(text: str, node: cst.BaseExpression) -> str:
    """The text of an expression, such that a method can be called on it."""
    tight = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)
    return text if isinstance(node, tight) or node.lpar else f"({text})"


def names_host(device: cst.BaseExpression) -> bool:
    """`"cpu"` or `torch.device("cpu")`: what lies there needs no fix."""
    if isinstance(device, cst.Call) and len(device.args) == 1:
        device = device.args[0].value
    return isinstance(device, cst.SimpleString) and str(device.evaluated_value).startswith("cpu")


def repeatable(text: str) -> bool:
    """Whether an expression may be written twice: a name, a length or a size."""
    return _REPEATABLE.fullmatch(text) is not None
