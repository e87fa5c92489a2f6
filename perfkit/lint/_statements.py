"""How values flow through statements."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfkit.lint._calls import in_loop
from perfkit.lint._expressions import bind_target
from perfkit.lint._site import Site
from perfkit.lint._subscripts import elements_of
from perfkit.lint._value import (
    NONE,
    NUMBER,
    TEXT,
    UNKNOWN,
    Value,
    arithmetic,
    elements,
    join,
    sequence,
    tensor,
    tree,
)

if TYPE_CHECKING:
    from perfkit.lint._flow import Flow

_LOADER = re.compile(
    r"(loader|train_data|valid_data|test_data|train_iter|data_iter)s?$", re.IGNORECASE
)
_RARELY = re.compile(r"%|debug|verbose|DEBUG|log_every|should_log|logging_steps")


def block(flow: Flow, statements: Sequence[ast.stmt]) -> None:
    """Statements one after the other."""
    for statement in statements:
        handle = _STATEMENTS.get(type(statement))
        if handle is not None:
            handle(flow, statement)


def _expression(flow: Flow, node: ast.Expr) -> None:
    value = node.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        flow.value(value)
        _grown(flow, value, value.func)
    elif not isinstance(value, ast.Constant):
        flow.value(value)


def _grown(flow: Flow, call: ast.Call, func: ast.Attribute) -> None:
    """`xs.append(x)`, `self.register_buffer("name", x)`: what is known of `xs` and of `self.name`."""
    if func.attr in ("append", "add") and isinstance(func.value, ast.Name) and call.args:
        known = flow.names.get(func.value.id)
        if known is not None and known.kind == "sequence" and isinstance(call.args[0], ast.Name):
            item = flow.names.get(call.args[0].id, UNKNOWN)
            empty = not known.inner or known.inner == (UNKNOWN,)
            flow.names[func.value.id] = sequence(item if empty else join(elements(known), item))
    if func.attr == "register_buffer" and len(call.args) >= 2:
        name, owner = call.args[0], flow.value(func.value)
        one = flow.unit.classes.get(owner.name)
        if one is not None and isinstance(name, ast.Constant) and isinstance(name.value, str):
            made = _quiet(flow, call.args[1])
            if made.kind == "none":
                made = tensor("device")
            known_rank = made.rank if made.holds_data else None
            one.attributes[name.value] = tensor("device", rank=known_rank, dtype=made.dtype)


def _quiet(flow: Flow, node: ast.expr) -> Value:
    """A value, asked for a second time: the checks have seen it."""
    kept, flow.hooks = flow.hooks, flow.no_hooks
    try:
        return flow.value(node)
    finally:
        flow.hooks = kept


def _assign(flow: Flow, node: ast.Assign) -> None:
    kept = flow.place
    if _kept_where_it_is_used(node):
        flow.place = replace(kept, setup=True)
    value = flow.value(node.value)
    flow.place = kept
    for target in node.targets:
        bind_target(flow, target, value)


def _kept_where_it_is_used(node: ast.Assign) -> bool:
    """`self.x = self.x.to(other.device)`: moves in the first call only."""
    target, value = node.targets[0], node.value
    return (
        isinstance(target, ast.Attribute)
        and isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in ("to", "cuda", "type_as")
        and isinstance(value.func.value, ast.Attribute)
        and value.func.value.attr == target.attr
    )


def _annotated(flow: Flow, node: ast.AnnAssign) -> None:
    promised = flow.annotated(node.annotation)
    value = flow.value(node.value) if node.value is not None else UNKNOWN
    if (
        value.kind == "none"
        or value.kind == "unknown"
        or (value.kind == "sequence" and value.inner == (UNKNOWN,))
    ):
        value = promised
    bind_target(flow, node.target, value)


def _augmented(flow: Flow, node: ast.AugAssign) -> None:
    value = flow.value(node.value)
    if isinstance(node.target, ast.Name):
        known = flow.names.get(node.target.id, UNKNOWN)
        result = arithmetic(known, value)
        if result.holds_data:
            flow.work += 1
        if known.dtype == "bool" and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            result = result._replace(dtype="bool")
        flow.names[node.target.id] = result
        return
    known = flow.value(node.target)  # a read, then a write
    bind_target(flow, node.target, arithmetic(known, value))


def _return(flow: Flow, node: ast.Return) -> None:
    flow.returned.append(flow.value(node.value) if node.value is not None else NONE)


def _raise(flow: Flow, node: ast.Raise) -> None:
    kept = flow.place
    flow.place = replace(kept, setup=True)  # whoever raises may wait
    if node.exc is not None:
        flow.value(node.exc)
    flow.place = kept


def _assert(flow: Flow, node: ast.Assert) -> None:
    flow.truth(node.test)


def _if(flow: Flow, node: ast.If) -> None:
    if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    flow.truth(node.test)
    place, before = flow.place, flow.names
    on = _device_asked(node.test)
    flow.names = _refined(flow, node.test, dict(before))
    flow.place = _branch(flow, node.test, place, host=on == "host")
    block(flow, node.body)
    then, ends = flow.names, _leaves(node.body)
    flow.names = dict(before)
    flow.place = replace(place, host=True) if on == "device" else place
    block(flow, node.orelse)
    flow.place = place
    if not ends:
        flow.names = then if node.orelse and _leaves(node.orelse) else merged(then, flow.names)


def _branch(flow: Flow, test: ast.expr, place: Any, *, host: bool) -> Any:
    rare = isinstance(
        test, (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Name, ast.Attribute, ast.BinOp)
    )
    if host:
        return replace(place, host=True)
    if rare and _RARELY.search(ast.unparse(test)) and "is not None" not in ast.unparse(test):
        return replace(place, setup=True)
    return place


def _device_asked(test: ast.expr) -> str | None:
    """Which branch of `if x.is_cuda`, `if x.device.type == "cpu"` this is."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _device_asked(test.operand)
        return {"host": "device", "device": "host"}.get(inner or "")
    if isinstance(test, ast.Attribute) and test.attr == "is_cuda":
        return "device"
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = test.left, test.comparators[0]
        if isinstance(left, ast.Attribute) and left.attr in ("type", "device"):
            name = right.value if isinstance(right, ast.Constant) else None
            if name in ("cpu", "cuda"):
                same = isinstance(test.ops[0], ast.Eq)
                return "host" if (name == "cpu") == same else "device"
    return None


def _refined(flow: Flow, test: ast.expr, names: dict[str, Value]) -> dict[str, Value]:
    """`isinstance` says what a name is in the branch."""
    tests = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    for one in tests:
        if not isinstance(one, ast.Call) or not one.args or not isinstance(one.args[0], ast.Name):
            continue
        called = ast.unparse(one.func)
        kind = ast.unparse(one.args[1]) if len(one.args) > 1 else ""
        name = one.args[0].id
        if called.endswith("is_tensor") or (called == "isinstance" and kind.endswith("Tensor")):
            known = names.get(name, UNKNOWN)
            if known.kind != "tensor":
                on = "host" if flow.place.host else (known.on or "device")
                names[name] = tensor(on, sure=known.sure)
        elif called == "isinstance" and re.fullmatch(r"\(?(int|float|bool|, )+\)?", kind):
            names[name] = NUMBER
        elif called == "isinstance" and kind == "str":
            names[name] = TEXT
        elif called == "isinstance" and re.search(r"list|tuple|dict|Mapping|Sequence", kind):
            known = names.get(name, UNKNOWN)
            names[name] = tree(known.on, known.sure) if known.holds_data else known
    return names


def merged(a: dict[str, Value], b: dict[str, Value]) -> dict[str, Value]:
    """Names after two branches."""
    result = dict(b)
    for name, value in a.items():
        other = b.get(name)
        if other is None:
            result[name] = value
        elif other is not value:
            result[name] = join(value, other)
    return result


def _leaves(body: Sequence[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))


def _for(flow: Flow, node: ast.For | ast.AsyncFor) -> None:
    over = flow.value(node.iter)
    if over.kind == "unknown" and _LOADER.search(_last_name(node.iter)):
        over = Value("loader", on="host")
        item = elements(over)
        if isinstance(node.iter, ast.Call) and _last_name(node.iter.func) == "enumerate":
            item = Value("sequence", inner=(NUMBER, item), positional=True)
    elif over.kind == "sequence" and over.inner and _is_enumerated_loader(node.iter):
        item = Value("sequence", inner=(NUMBER, tree("host")), positional=True)
    else:
        item = elements_of(over) if over.kind != "mapping" else UNKNOWN
    place, work, waits = flow.place, flow.work, flow.waits
    bind_target(flow, node.target, item)
    flow.place = in_loop(place, node.lineno)
    if item.kind == "tree" and item.on == "host":
        flow.place = replace(flow.place, hot=True, setup=False)
    before = dict(flow.names)
    block(flow, node.body)
    facts = {"over": over, "item": item, "work": flow.work - work, "waits": flow.waits - waits}
    facts |= {"before": before, "names": flow.names}
    flow.place = place
    site = Site(node, place, receiver=over, facts=facts)
    flow.show(flow.hooks.events["loop"], "loop", site)
    flow.names = merged(flow.names, before)
    block(flow, node.orelse)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        called = _last_name(node.func)
        if called in ("enumerate", "tqdm", "iter", "zip", "track", "prefetch") and node.args:
            return _last_name(node.args[0])
        return called
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _is_enumerated_loader(node: ast.expr) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return called and node.func.id == "enumerate" and bool(_LOADER.search(_last_name(node)))  # type: ignore[attr-defined]


def _while(flow: Flow, node: ast.While) -> None:
    place = flow.place
    flow.place = in_loop(place, node.lineno)
    flow.truth(node.test)
    before = dict(flow.names)
    block(flow, node.body)
    flow.place = place
    flow.names = merged(flow.names, before)
    block(flow, node.orelse)


def _with(flow: Flow, node: ast.With | ast.AsyncWith) -> None:
    kept = flow.default_on
    for item in node.items:
        value = flow.value(item.context_expr)
        if value.kind == "device":
            flow.default_on = value.on or "device"
        if item.optional_vars is not None:
            bind_target(flow, item.optional_vars, UNKNOWN)
    block(flow, node.body)
    flow.default_on = kept


def _try(flow: Flow, node: Any) -> None:
    block(flow, node.body)
    for handler in node.handlers:
        block(flow, handler.body)
    block(flow, node.orelse)
    block(flow, node.finalbody)


def _match(flow: Flow, node: ast.Match) -> None:
    flow.value(node.subject)
    for case in node.cases:
        block(flow, case.body)


def _function(flow: Flow, node: Any) -> None:
    for decorator in node.decorator_list:
        flow.value(decorator)
    if flow.place.function or flow.unit.functions.get(node.name) is not node:
        flow.nested(node)


def _nothing(flow: Flow, node: Any) -> None:
    """Classes are read on their own; imports are known."""


_STATEMENTS: dict[type, Callable[[Flow, Any], None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.Match: _match,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
}
if hasattr(ast, "TryStar"):
    _STATEMENTS[ast.TryStar] = _try
