"""A loop over experts, read as: which tensors say what goes where, and what an expert is."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass

import libcst as cst

from perfkit.fixes._tree import File

_EMPTY = re.compile(
    r"^not .*\.any\(\)(\.item\(\))?$|(\.numel\(\)|\.shape\[0\]|\.size\(0\)|\)) == 0$"
)
_ANY = re.compile(r"^(?P<mask>.*)\.any\(\)(\.item\(\))?$")
_ACTIVATIONS = {
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
}


@dataclass(frozen=True)
class Dispatch:
    """What a loop over experts computes: `out[t] += sum of weights[t, j] * experts[chosen[t, j]](x[t])`.

    All are texts of expressions.
    """

    out: str
    x: str
    weights: str
    chosen: str
    experts: str


def dispatch(source: str) -> Dispatch | None:
    """Read a loop from its text; None for one that is not understood entirely."""
    try:
        loop = ast.parse(textwrap.dedent(source)).body[0]
    except (SyntaxError, IndexError):
        return None
    if not isinstance(loop, ast.For) or loop.orelse:
        return None
    head = _head(loop)
    write = _last(loop.body, {}) if head is not None else None
    return _read(write, *head) if head is not None and write is not None else None


def _head(loop: ast.For) -> tuple[str, str, str] | None:
    """(number, expert, experts) of `for number, expert in enumerate(experts)` or over a range."""
    call, target = loop.iter, loop.target
    if not isinstance(call, ast.Call) or len(call.args) != 1 or call.keywords:
        return None
    over, name = ast.unparse(call.args[0]), ast.unparse(call.func)
    if name == "enumerate" and isinstance(target, ast.Tuple) and len(target.elts) == 2:
        return ast.unparse(target.elts[0]), ast.unparse(target.elts[1]), over
    counted = re.fullmatch(r"len\(([\w.]+)\)", over)
    if name == "range" and isinstance(target, ast.Name) and counted:
        return target.id, f"{counted[1]}[{target.id}]", counted[1]
    return None


class _Inline(ast.NodeTransformer):
    def __init__(self, names: dict[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.names.get(node.id, node)


def _last(body: list[ast.stmt], names: dict[str, ast.expr]) -> ast.stmt | None:
    """The one statement that writes, with every name of the loop replaced by what it stands for."""
    for position, statement in enumerate(body):
        final = position == len(body) - 1
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and not final:
            if not _name(statement, names):
                return None
        elif isinstance(statement, ast.If) and not statement.orelse:
            test = ast.unparse(_inlined(statement.test, names))
            if len(statement.body) == 1 and isinstance(statement.body[0], ast.Continue):
                if not _EMPTY.search(test):
                    return None
            else:
                return _last(statement.body, names) if final and _ANY.match(test) else None
        else:
            return _written(statement, names) if final else None
    return None


def _name(statement: ast.Assign, names: dict[str, ast.expr]) -> bool:
    """Take an assignment down; False where it is not to plain names."""
    target, value = statement.targets[0], _inlined(statement.value, names)
    if isinstance(target, ast.Name):
        names[target.id] = value
        return True
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Call):
        for position, element in enumerate(target.elts):
            if not isinstance(element, ast.Name):
                return False
            names[element.id] = ast.Subscript(value, ast.Constant(position), ast.Load())
        return True
    return False


def _inlined(node: ast.expr, names: dict[str, ast.expr]) -> ast.expr:
    fresh = ast.parse(ast.unparse(node), mode="eval").body
    result = _Inline(names).visit(fresh)
    assert isinstance(result, ast.expr)
    return result


def _written(statement: ast.stmt, names: dict[str, ast.expr]) -> ast.stmt | None:
    """`out[rows] += value`, from that or from `out.index_add_(0, rows, value)`."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
        target = statement.target
        if isinstance(target, ast.Subscript):
            where = _inlined(target.slice, names)
            new = ast.Subscript(target.value, where, ast.Store())
            return ast.AugAssign(new, ast.Add(), _inlined(statement.value, names))
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
        first = call.args[0] if len(call.args) == 3 and not call.keywords else None
        if call.func.attr == "index_add_" and isinstance(first, ast.Constant) and first.value == 0:
            where, value = (_inlined(arg, names) for arg in call.args[1:])
            new = ast.Subscript(call.func.value, where, ast.Store())
            return ast.AugAssign(new, ast.Add(), value)
    return None


def _read(write: ast.stmt, number: str, expert: str, experts: str) -> Dispatch | None:
    assert isinstance(write, ast.AugAssign) and isinstance(write.target, ast.Subscript)
    out, rows = ast.unparse(write.target.value), ast.unparse(write.target.slice)
    value = write.value
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Mult):
        return None
    sides = (value.left, value.right)
    calls = [s for s in sides if isinstance(s, ast.Call) and ast.unparse(s.func) == expert]
    if len(calls) != 1 or len(calls[0].args) != 1:
        return None
    factor = ast.unparse(sides[1] if sides[0] is calls[0] else sides[0])
    taken = re.fullmatch(rf"([\w.]+)\[{re.escape(rows)}\]", ast.unparse(calls[0].args[0]))
    asked = re.search(rf"([\w.]+) == {re.escape(number)}\b", rows)
    if taken is None or asked is None:
        return None
    weights = _weights(factor, rows, asked[1], number)
    return Dispatch(out, taken[1], weights, asked[1], experts) if weights else None


def _weights(factor: str, rows: str, chosen: str, number: str) -> str:
    """What the choices count; empty where rows and factor do not belong together."""
    hit = f"{chosen} == {number}"
    last = ("dim=-1", "-1", "dim=1", "1")
    masks = [f"({hit}).any({d})" for d in last]
    listed = [f"torch.where({m})[0]" for m in masks]
    listed += [f"{m}.nonzero(as_tuple=True)[0]" for m in masks]
    listed += [
        f"{m}.nonzero().{s}" for m in masks for s in ("squeeze(-1)", "squeeze(1)", "flatten()")
    ]
    listed += [f"{m}.nonzero()[:, 0]" for m in masks]
    if rows in (*masks, *listed):
        ends = "|".join(re.escape(d) for d in last)
        for product in (rf"([\w.]+) \* \({re.escape(hit)}\)", rf"\({re.escape(hit)}\) \* ([\w.]+)"):
            pattern = rf"\({product}\)\.sum\(({ends}), keepdim=True\)\[{re.escape(rows)}\]"
            found = re.fullmatch(pattern, factor)
            if found:
                return found[1]
    for pair in (f"torch.where({hit})", f"({hit}).nonzero(as_tuple=True)"):
        if rows == f"{pair}[0]":
            at = re.escape(f"[{pair}[0], {pair}[1]")
            found = re.fullmatch(
                rf"([\w.]+){at}(, None\]|\]\.unsqueeze\((?:-1|1)\)|\]\[:, None\])", factor
            )
            return found[1] if found else ""
    return ""


def activation(file: File, experts: str) -> str | None:
    """The activation between the two linear layers of the experts, as code; None if not proven.

    Looks for `self.experts = nn.ModuleList(Expert(...) for ...)` and then at Expert in the same file.
    """
    name = experts.rpartition(".")[2]
    made = re.findall(
        rf"\bself\.{name}\s*=\s*(?:torch\.)?(?:nn\.)?ModuleList\(\s*\[?\s*([\w.]+)\(", file.text
    )
    if len(set(made)) != 1:
        return None
    for node in file.each(cst.ClassDef):
        assert isinstance(node, cst.ClassDef)
        if node.name.value == made[0]:
            return _of_class(file, ast.parse(textwrap.dedent(file.code(node))).body[0])
    return None


def _of_class(file: File, node: ast.stmt) -> str | None:
    """`forward` must return down(activation(up(x))), both linear and made in this order."""
    assert isinstance(node, ast.ClassDef)
    methods = {m.name: m for m in node.body if isinstance(m, ast.FunctionDef)}
    if not {"__init__", "forward"} <= set(methods):
        return None
    linear = re.findall(
        r"self\.(\w+) = (?:torch\.)?(?:nn\.)?Linear\(", ast.unparse(methods["__init__"])
    )
    modules = re.findall(
        r"self\.(\w+) = (?:torch\.)?(?:nn\.)?(\w+)\(\)", ast.unparse(methods["__init__"])
    )
    body = [s for s in methods["forward"].body if not _is_text(s)]
    names: dict[str, ast.expr] = {}
    for statement in body[:-1]:
        if not isinstance(statement, ast.Assign) or not _name(statement, names):
            return None
    last = body[-1] if body else None
    if len(linear) != 2 or not isinstance(last, ast.Return) or last.value is None:
        return None
    x = methods["forward"].args.args[-1].arg
    text = ast.unparse(_inlined(last.value, names))
    found = re.fullmatch(rf"self\.{linear[1]}\(([\w.]+)\(self\.{linear[0]}\({x}\)\)\)", text)
    if found is None:
        return None
    owned = dict(modules).get(found[1].removeprefix("self."), "")
    if found[1].startswith("self."):
        return _spelled(file, _ACTIVATIONS.get(owned))
    known = file.dotted(cst.parse_expression(found[1])).rpartition(".")[2]
    return found[1] if known in _ACTIVATIONS.values() else None


def _spelled(file: File, name: str | None) -> str | None:
    return f"{file.torch}.nn.functional.{name}" if name and file.torch else None


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
