"""What each kind of expression is thought to be."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perfkit.lint import _calls, _subscripts
from perfkit.lint._site import Site
from perfkit.lint._value import (
    COMPARED,
    CONSTANT,
    DTYPE,
    FUNCTION,
    MAPPING,
    NONE,
    NUMBER,
    SHAPE,
    TEXT,
    TRUTH,
    UNKNOWN,
    Value,
    arithmetic,
    elements,
    join,
    pair,
    sequence,
    tensor,
    tree,
)
from perfkit.lint._words import NUMBERS_OF, names

if TYPE_CHECKING:
    from perfkit.lint._flow import Flow

_ON_HOST = re.compile(r"^(host|cpu)_|_(host|cpu)$")
_DEVICES = ("cuda", "cpu", "mps", "xpu", "hip")
_DTYPES = names(
    "float float16 float32 float64 half double bfloat16 int int8 int16 int32 int64 long short "
    "uint8 bool complex64 cfloat"
)


def _name(flow: Flow, node: ast.Name) -> Value:
    known = flow.names.get(node.id)
    if known is not None:
        return known
    name = node.id
    if name in flow.unit.aliases:
        return Value("dotted", name=flow.unit.aliases[name], sure=3)
    if name in flow.unit.functions:
        return Value("function", name=name, sure=3)
    if name in flow.unit.classes:
        return Value("class", name=name, sure=3)
    if name == "device":
        return Value("device", on="device", sure=1)
    return UNKNOWN


def _constant(flow: Flow, node: ast.Constant) -> Value:
    value = node.value
    if isinstance(value, str):
        if value.partition(":")[0] in _DEVICES:
            return Value("device", on="host" if value == "cpu" else "device", sure=3)
        return TEXT
    if value is None:
        return NONE
    return TRUTH if isinstance(value, bool) else CONSTANT


def _attribute(flow: Flow, node: ast.Attribute) -> Value:
    owner, name = flow.value(node.value), node.attr
    kind = owner.kind
    if kind == "dotted":
        full = f"{owner.name}.{name}"
        if owner.name == "torch" and name in _DTYPES:
            return DTYPE
        return Value("dotted", name=full, sure=3)
    if kind == "tensor":
        return _of_tensor(owner, name)
    if kind in ("object", "net"):
        found = flow.attribute(owner.name, name) if owner.name else UNKNOWN
        if found.kind != "unknown":
            return found
        return _of_object(flow, owner, name)
    if kind == "tree":
        if name == "shape":
            return SHAPE
        if name in ("device", "dtype") or name in NUMBERS_OF:
            return _of_tensor(owner, name)
        return owner
    if kind == "limits":
        return NUMBER
    if kind == "loader":
        return UNKNOWN
    if name == "device":
        return Value("device", on="device", sure=2)
    if name == "shape":
        return SHAPE
    return DTYPE if name == "dtype" else UNKNOWN


def _of_tensor(owner: Value, name: str) -> Value:
    if name == "shape":
        return SHAPE
    if name == "device":
        return Value("device", on=owner.on, sure=owner.sure)
    if name == "dtype":
        return DTYPE
    if name in NUMBERS_OF:
        return NUMBER
    if name == "batch_sizes":
        return tensor("host", rank=1)
    return owner._replace(dtype="int") if name == "indices" else owner


def _of_object(flow: Flow, owner: Value, name: str) -> Value:
    one = flow.unit.classes.get(owner.name)
    if name in ("device", "_device"):
        return Value("device", on="device", sure=2)
    if name == "dtype":
        return DTYPE
    if (one is not None and one.net) or owner.kind == "net":
        if name in ("weight", "bias"):
            return tensor("device")
        if name == "training":
            return TRUTH
    if name in ("model", "net", "module"):
        return Value("net", on="device", sure=2)
    if name in ("train_loader", "val_loader", "test_loader", "loader", "dataloader"):
        return Value("loader", on="host")
    return UNKNOWN


def _binary(flow: Flow, node: ast.BinOp) -> Value:
    left, right = flow.value(node.left), flow.value(node.right)
    if left.kind == "clock" or right.kind == "clock":
        if isinstance(node.op, ast.Sub) and right.kind == "clock":
            _timed(flow, node, right)
        return NUMBER
    if isinstance(node.op, ast.Mod) and left.kind == "text":
        if right.holds_data:
            shown(flow, node.right, right)
        return TEXT
    result = arithmetic(left, right)
    if result == COMPARED and isinstance(node.op, (ast.BitAnd, ast.BitOr)) and flow.only_tensors:
        return tensor("device", dtype="bool")
    if result.kind == "tensor":
        flow.work += result.on == "device"
        if left.dtype == "bool" and isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.BitXor)):
            return result._replace(dtype="bool")
    return result


def _timed(flow: Flow, node: ast.BinOp, began: Value) -> None:
    work, waits = (int(part) for part in began.name.split())
    facts = {"work": flow.work - work, "waits": flow.waits - waits}
    site = Site(node, flow.place, receiver=began, facts=facts)
    flow.show(flow.hooks.events["timed"], "timed", site)


def _unary(flow: Flow, node: ast.UnaryOp) -> Value:
    if isinstance(node.op, ast.Not):
        truth(flow, node.operand)
        return TRUTH
    return flow.value(node.operand)


def _boolean(flow: Flow, node: ast.BoolOp) -> Value:
    for value in node.values[:-1]:
        truth(flow, value)
    result = flow.value(node.values[-1])
    for value in node.values[:-1]:
        result = join(_peek(flow, value), result)
    return result


def _peek(flow: Flow, node: ast.expr) -> Value:
    """A value without showing it to checks a second time."""
    return flow.names.get(node.id, UNKNOWN) if isinstance(node, ast.Name) else UNKNOWN


def _compare(flow: Flow, node: ast.Compare) -> Value:
    left = flow.value(node.left)
    result = TRUTH
    for position, (op, right_node) in enumerate(zip(node.ops, node.comparators, strict=True)):
        right = flow.value(right_node)
        if isinstance(op, (ast.In, ast.NotIn)):
            among = right.kind == "sequence" and elements(right).kind in ("number", "tensor")
            if right.holds_data or (left.holds_data and among):
                site = Site(node, flow.place, receiver=right if right.holds_data else left)
                flow.show(flow.hooks.events["number"], "number", site)
        elif not isinstance(op, (ast.Is, ast.IsNot)):
            for one, other in ((left, right), (right, left)):
                if one.kind == "sequence" and other.kind in ("sequence", "shape"):
                    _compared_one_by_one(flow, node, one)
            result = _compared(left, right)
            if position < len(node.ops) - 1 and result.holds_data:
                _asked(flow, node, result)
        left = right
    return result


def _compared_one_by_one(flow: Flow, node: ast.Compare, given: Value) -> None:
    """`list(x.shape) == [batch, t, 3]` asks whether `t` is equal."""
    known = [v for v in given.inner if v.kind == "tensor" and v.rank == 0]
    if known:
        _asked(flow, node, known[0]._replace(sure=2))


def _compared(left: Value, right: Value) -> Value:
    if "text" in (left.kind, right.kind) or "none" in (left.kind, right.kind):
        return TRUTH
    if "device" in (left.kind, right.kind) or "dtype" in (left.kind, right.kind):
        return TRUTH
    result = arithmetic(left, right)
    if not result.holds_data:
        if left.kind == right.kind == "unknown" or (left.kind, right.kind) == ("unknown", "number"):
            return COMPARED
        return TRUTH if result.kind != "array" else result
    vague = "tree" in (left.kind, right.kind) and "tensor" not in (left.kind, right.kind)
    return result._replace(dtype="bool", sure=min(result.sure, 1) if vague else result.sure)


def truth(flow: Flow, node: ast.expr) -> None:
    """An expression whose truth Python asks for."""
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            truth(flow, part)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        truth(flow, node.operand)
    else:
        value = flow.value(node)
        if value.kind == "tensor":
            _asked(flow, node, value)


def _asked(flow: Flow, node: ast.expr, value: Value) -> None:
    flow.waits += 1
    flow.show(flow.hooks.events["truth"], "truth", Site(node, flow.place, receiver=value))


def shown(flow: Flow, node: ast.expr, value: Value) -> None:
    """A value turned into text."""
    flow.waits += 1
    flow.show(flow.hooks.events["shown"], "shown", Site(node, flow.place, receiver=value))


def _conditional(flow: Flow, node: ast.IfExp) -> Value:
    truth(flow, node.test)
    return join(flow.value(node.body), flow.value(node.orelse))


def _joined(flow: Flow, node: ast.JoinedStr) -> Value:
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            value = flow.value(part.value)
            if value.kind == "tensor":
                shown(flow, part.value, value)
    return TEXT


def _tuple(flow: Flow, node: ast.Tuple) -> Value:
    if any(isinstance(item, ast.Starred) for item in node.elts):
        return _list(flow, node)
    return pair(*[flow.value(item) for item in node.elts])


def _list(flow: Flow, node: ast.List | ast.Set | ast.Tuple) -> Value:
    result: Value | None = None
    for item in node.elts:
        starred = isinstance(item, ast.Starred)
        value = flow.value(item.value if isinstance(item, ast.Starred) else item)
        value = elements(value) if starred else value
        result = value if result is None else join(result, value)
    return sequence(result) if result is not None else sequence(UNKNOWN)


def _dict(flow: Flow, node: ast.Dict) -> Value:
    result: Value | None = None
    for key, item in zip(node.keys, node.values, strict=True):
        if key is not None:
            flow.value(key)
        value = flow.value(item)
        if key is not None:
            result = value if result is None else join(result, value)
    return MAPPING._replace(inner=(result,)) if result is not None else MAPPING


def _comprehension(flow: Flow, node: Any) -> Value:
    kept, place = dict(flow.names), flow.place
    try:
        for generator in node.generators:
            bind_target(flow, generator.target, elements(flow.value(generator.iter)))
            flow.place = _calls.in_loop(flow.place, node.lineno)
            for condition in generator.ifs:
                truth(flow, condition)
        if isinstance(node, ast.DictComp):
            flow.value(node.key)
            return MAPPING._replace(inner=(flow.value(node.value),))
        return sequence(flow.value(node.elt))
    finally:
        flow.names, flow.place = kept, place


def _lambda(flow: Flow, node: ast.Lambda) -> Value:
    kept = dict(flow.names)
    for param in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        flow.names[param.arg] = Value(sure=1, name="lambda")
    flow.value(node.body)
    flow.names = kept
    return FUNCTION


def _walrus(flow: Flow, node: ast.NamedExpr) -> Value:
    value = flow.value(node.value)
    flow.names[node.target.id] = value
    return value


def _inner(flow: Flow, node: Any) -> Value:
    return flow.value(node.value) if node.value is not None else NONE


def _yielded(flow: Flow, node: Any) -> Value:
    if node.value is not None:
        flow.returned.append(sequence(flow.value(node.value)))
    return UNKNOWN


def bind_target(flow: Flow, target: ast.expr, value: Value) -> None:
    """An assignment to a name, a tuple of names or an attribute of self."""
    if isinstance(target, ast.Name):
        if target.id == "batch_sizes" and value.holds_data:  # of a packed sequence
            value = tensor("host", rank=1)
        if value.kind == "tensor" and value.sure < 3 and _ON_HOST.search(target.id):
            value = value._replace(on="host")
        flow.names[target.id] = _still(flow.names.get(target.id), value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        given = value.inner if value.positional and len(value.inner) == len(target.elts) else None
        each = elements(value) if value.kind != "tree" else tree(value.on, value.sure)
        for position, item in enumerate(target.elts):
            part = given[position] if given else each
            if isinstance(item, ast.Starred):
                bind_target(flow, item.value, sequence(part))
            else:
                bind_target(flow, item, part)
    elif isinstance(target, ast.Attribute):
        _bind_attribute(flow, target, value)
    elif isinstance(target, ast.Subscript):
        _subscripts.write(flow, target, value)


def _still(known: Value | None, value: Value) -> Value:
    """`x = anything(x)`: what was a tensor most likely still is one."""
    if known is None or known.kind != "tensor" or (value.kind, value.sure) != ("tree", 1):
        return value
    return tensor(known.on, sure=min(2, known.sure)) if known.on == value.on else value


def _bind_attribute(flow: Flow, target: ast.Attribute, value: Value) -> None:
    owner = flow.value(target.value)
    one = flow.unit.classes.get(owner.name) if owner.kind == "object" else None
    if one is None or value.kind == "unknown":
        return
    if one.net and value.kind == "net":
        value = value._replace(on="device")
    known = one.attributes.get(target.attr)
    one.attributes[target.attr] = value if known is None else join(known, value)


EVALUATE: dict[type, Callable[[Flow, Any], Value]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.Call: _calls.call,
    ast.Subscript: _subscripts.read,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.JoinedStr: _joined,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _list,
    ast.Dict: _dict,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
    ast.Lambda: _lambda,
    ast.NamedExpr: _walrus,
    ast.Starred: _inner,
    ast.Await: _inner,
    ast.YieldFrom: _inner,
    ast.Yield: _yielded,
}
