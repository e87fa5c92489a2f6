"""One file's names: what is imported as what, which classes and functions it defines."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from perfkit.lint._value import Value
from perfkit.lint._words import HOST_CLASSES, NET_CLASSES, NETS

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Class:
    """A class of the file.

    Attributes:
        bases: dotted names.
        attributes: what `self.x` is thought to be, filled while the constructor is read.
        net, host, optimizer: an nn.Module; one whose code works on the host; an Optimizer.
    """

    name: str
    node: ast.ClassDef
    bases: tuple[str, ...]
    methods: dict[str, Function] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict)
    net: bool = False
    host: bool = False
    optimizer: bool = False
    read: bool = False


@dataclass
class Unit:
    """The names of one file.

    Attributes:
        aliases: dotted name by the name it is imported as, function-local imports included.
        functions: every function that is no method, by qualified name.
        called: names that are called somewhere in the file.
    """

    tree: ast.Module
    aliases: dict[str, str] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)


def unit_of(tree: ast.Module) -> Unit:
    """Collect the names of a file."""
    unit = Unit(tree)
    for node in ast.walk(tree):
        kind = type(node)
        if kind is ast.Import:
            _import(unit, node)  # type: ignore[arg-type]
        elif kind is ast.ImportFrom:
            _import_from(unit, node)  # type: ignore[arg-type]
        elif kind is ast.Call:
            if type(node.func) is ast.Name:  # type: ignore[attr-defined]
                unit.called.add(node.func.id)  # type: ignore[attr-defined]
        elif kind is ast.ClassDef:
            assert isinstance(node, ast.ClassDef)
            unit.classes.setdefault(node.name, _class(unit, node))
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            unit.functions[statement.name] = statement
    for one in unit.classes.values():
        _place_class(unit, one, set())
    return unit


def dotted(unit: Unit, node: ast.AST) -> str:
    """The imported dotted name that an expression spells; its own text where none is imported."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(unit.aliases.get(node.id, node.id))
    return ".".join(reversed(parts))


def method_of(unit: Unit, name: str, method: str) -> tuple[str, Function] | None:
    """(class, function) of a method, looked up along the bases that this file defines."""
    seen: set[str] = set()
    queue = [name]
    while queue:
        current = queue.pop(0)
        one = unit.classes.get(current)
        if one is None or current in seen:
            continue
        seen.add(current)
        if method in one.methods:
            return current, one.methods[method]
        queue.extend(base.rpartition(".")[2] for base in one.bases)
    return None


def _import(unit: Unit, node: ast.Import) -> None:
    for alias in node.names:
        if alias.asname:
            unit.aliases[alias.asname] = alias.name
        else:
            first = alias.name.partition(".")[0]
            unit.aliases[first] = first


def _import_from(unit: Unit, node: ast.ImportFrom) -> None:
    for alias in node.names:
        unit.aliases[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}".lstrip(".")


def _class(unit: Unit, node: ast.ClassDef) -> Class:
    one = Class(node.name, node, tuple(dotted(unit, _bare(base)) for base in node.bases))
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            one.methods[statement.name] = statement
    return one


def _bare(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Subscript) else node


def _place_class(unit: Unit, one: Class, seen: set[str]) -> None:
    """Is it a network, does it work on the host? Asked of its bases first."""
    if one.name in seen:
        return
    seen.add(one.name)
    one.net = "forward" in one.methods
    for base in one.bases:
        last = base.rpartition(".")[2]
        above = unit.classes.get(last)
        if above is not None and above is not one:
            _place_class(unit, above, seen)
            one.net, one.host = one.net or above.net, one.host or above.host
            one.optimizer = one.optimizer or above.optimizer
        elif last.endswith("Optimizer"):
            one.optimizer = True
        elif last.endswith(HOST_CLASSES):
            one.host = True
        elif last.endswith(NET_CLASSES) and not last.endswith("BaseModel"):
            one.net = True
    if one.bases and not one.host and one.name.endswith(NETS):
        one.net = True
    one.host = one.host or (not one.net and one.name.endswith(HOST_CLASSES))
