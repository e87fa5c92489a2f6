"""Whether a file is still what ran, and which function of it can be called again by itself."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from perfkit.model.syncs import Frame

ReadSource = Callable[[str], "bytes | str"]
"""The bytes of a file as it ran; or, as text, why they are not to be had."""

_LIBRARY = ("site-packages", "dist-packages")
_LARGEST = 400_000
"""Bytes: a larger file takes seconds to be read by libcst."""


def unknown(why: str) -> ReadSource:
    """Nothing is read, for this reason."""
    return lambda file: why


def unchanged_since(began_s: float) -> ReadSource:
    """Files that were last written before this time (seconds since 1970), when the program began."""

    def read(file: str) -> bytes | str:
        path = Path(file)
        if any(part in _LIBRARY for part in path.parts):
            return "the line is in an installed package"
        try:
            seen = path.stat()
            if not path.is_file() or path.suffix != ".py":
                return "it is in no Python file"
            if seen.st_mtime > began_s:
                return "the file was changed after the run began"
            if seen.st_size > _LARGEST:
                return f"the file has more than {_LARGEST:,} bytes"
            return path.read_bytes()
        except (OSError, ValueError):
            return "the file is not here"

    return read


def stands_there(data: bytes, place: Frame) -> bool:
    """Whether the line is still in a function of the name that was recorded."""
    name = place.function.rpartition(".")[2]
    if not name.isidentifier():
        return True
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True  # whoever changes the file will say so
    around = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(
        isinstance(node, around)
        and node.name == name
        and node.lineno <= place.line <= (node.end_lineno or node.lineno)
        for node in ast.walk(tree)
    )


@dataclass(frozen=True)
class Function:
    """A function that can be called by itself: `Model.forward`, and its first and last line."""

    name: str
    first: int
    last: int


def function_at(data: bytes, line: int) -> Function | None:
    """The function around a line, if it stands at the top level or in classes that do; else None."""
    try:
        body = ast.parse(data).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names: list[str] = []
    while True:
        node = next((n for n in body if n.lineno <= line <= (n.end_lineno or n.lineno)), None)
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
            body = node.body
            continue
        if not isinstance(node, ast.FunctionDef) or _yields(node):
            return None
        return Function(".".join((*names, node.name)), node.lineno, node.end_lineno or node.lineno)


def functions_of(data: bytes, lines: Iterable[int]) -> tuple[str, ...]:
    """Names of the functions around these lines that can be called by themselves, each once."""
    found = (function_at(data, line) for line in lines)
    return tuple(dict.fromkeys(one.name for one in found if one is not None))


def _yields(node: ast.FunctionDef) -> bool:
    return any(isinstance(one, (ast.Yield, ast.YieldFrom)) for one in ast.walk(node))
