"""Lines that keep the whole graph of a step alive: a loss that is collected without being detached.

Read from the source alone: in a function that calls `x.backward()`, `some.append(x)` or
`total += x` keep `x` with everything it was computed from, where nothing detaches it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from perfkit.analysis.source import functions_of, text_of
from perfkit.model.syncs import Frame

_KEEPING = ("append", "extend", "add", "put", "appendleft")


def kept_graphs(files: Iterable[str]) -> tuple[Frame, ...]:
    """The lines, file by file, in their order; none of what cannot be read or parsed."""
    return tuple(
        Frame(file, line, functions_of(file).get(line, "<module>"))
        for file in dict.fromkeys(files)
        for line in _lines(text_of(file))
    )


def _lines(text: str) -> list[int]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    scopes = [tree, *(node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS))]
    return sorted({line for scope in scopes for line in _in_scope(list(_own(scope)))})


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a scope without those of functions inside it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, _FUNCTIONS):
            yield from _own(child)


def _in_scope(nodes: list[ast.AST]) -> Iterator[int]:
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    learned = {_receiver(call) for call in calls if _method(call) == "backward"} - {None}
    for call in calls:
        given = {arg.id for arg in call.args if isinstance(arg, ast.Name)}
        if _method(call) in _KEEPING and given & learned:
            yield call.lineno
    for node in nodes:
        if isinstance(node, ast.AugAssign) and isinstance(node.value, ast.Name):
            target = node.target.id if isinstance(node.target, ast.Name) else None
            if node.value.id in learned and target not in learned:
                yield node.lineno


def _method(call: ast.Call) -> str | None:
    return call.func.attr if isinstance(call.func, ast.Attribute) else None


def _receiver(call: ast.Call) -> str | None:
    value = call.func.value if isinstance(call.func, ast.Attribute) else None
    return value.id if isinstance(value, ast.Name) else None
