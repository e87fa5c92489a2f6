"""Loops around a place, through the functions that were called from them.

A line that waits stands in a loop of its own function, or its function was called from one: both
repeat it. Comprehensions and generator expressions are loops too. Source that cannot be read has none.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from perfkit.analysis.source import learns, lines_of, names_steps
from perfkit.model.syncs import Frame

_HEADER = 200
_FILE_CHARACTERS = 2_000_000
_FRAMES = 12
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Loop:
    """One loop in the source.

    Attributes:
        place: its header, with the qualified name of the function it stands in.
        text: `for number, expert in enumerate(self.experts)`.
        last: its last line.
        goes_through_steps: it is the loop of the steps themselves: by its header, or because it learns
            in its body.
        learns: it learns in its body.
    """

    place: Frame
    text: str
    last: int
    goes_through_steps: bool
    learns: bool = False

    def holds(self, place: Frame | None) -> bool:
        """True for a line of its own."""
        if place is None or place.file != self.place.file:
            return False
        return self.place.line <= place.line <= self.last


def loops_around(stack: Iterable[Frame], outside: Collection[Loop] = ()) -> tuple[Loop, ...]:
    """Every loop that repeats a place, innermost first; those of the steps themselves left out.

    Args:
        stack: the frames of the place, innermost first.
        outside: loops that are known to lie around the step (`step_loops`): left out too.
    """
    found: dict[Loop, None] = {}
    for frame, _ in zip(stack, range(_FRAMES), strict=False):
        found.update(dict.fromkeys(loops_at(frame)))
    return tuple(loop for loop in found if not loop.goes_through_steps and loop not in outside)


def loops_at(place: Frame) -> tuple[Loop, ...]:
    """The loops of one function around a line of it, innermost first."""
    lines = lines_of(place.file)
    return _index(place.file, _Same(lines)).get(place.line, ()) if lines else ()


@dataclass(frozen=True, eq=False)
class _Same:
    """Lines by identity: comparing whole files for each of thousands of places takes seconds."""

    lines: list[str]

    def __hash__(self) -> int:
        return id(self.lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.lines is self.lines


@lru_cache(maxsize=64)
def _index(file: str, same: _Same) -> dict[int, tuple[Loop, ...]]:
    lines = same.lines
    text = "".join(lines)
    try:
        tree = ast.parse(text if len(text) <= _FILE_CHARACTERS else "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[int, tuple[Loop, ...]] = {}
    waiting: list[tuple[ast.AST, str, tuple[Loop, ...]]] = [(tree, "", ())]
    while waiting:
        node, name, around = waiting.pop()
        for child, inside in _children(node, name, around, file, lines):
            for line in _lines(child):
                if len(inside) > len(found.get(line, ())):
                    found[line] = inside
            waiting.append((child, _named(child, name), inside))
    return found


def _children(
    node: ast.AST, name: str, around: tuple[Loop, ...], file: str, lines: list[str]
) -> Iterator[tuple[ast.AST, tuple[Loop, ...]]]:
    """The children with the loops around each; the header of a `for` is evaluated once."""
    inside = around
    once: tuple[ast.AST, ...] = ()
    if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
        text = lines[node.lineno - 1].strip().rstrip(":")[:_HEADER]
        inside = (_loop(node, Frame(file, node.lineno, name), text, lines), *around)
        once = () if isinstance(node, ast.While) else (node.iter, node.target)
    elif isinstance(node, _COMPREHENSIONS):
        place = Frame(file, node.lineno, name)
        inside = (_loop(node, place, _generators(node), lines), *around)
        once = (node.generators[0].iter,)
    elif isinstance(node, (*_FUNCTIONS, ast.Lambda)):
        inside = ()  # a loop around a definition is no loop of its body
    for child in ast.iter_child_nodes(node):
        yield child, around if child in once else inside


def _loop(node: ast.stmt | ast.expr, place: Frame, text: str, lines: list[str]) -> Loop:
    last = node.end_lineno or node.lineno
    trained = learns(lines[node.lineno - 1 : last])
    return Loop(place, text, last, trained or names_steps(text), trained)


def _generators(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> str:
    parts = [f"for {ast.unparse(g.target)} in {ast.unparse(g.iter)}" for g in node.generators]
    return " ".join(parts)[:_HEADER]


def _named(node: ast.AST, outer: str) -> str:
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return f"{outer}.{node.name}" if outer else node.name
    return outer


def _lines(node: ast.AST) -> range:
    first = getattr(node, "lineno", None)
    if first is None or isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return range(0)
    return range(first, (getattr(node, "end_lineno", None) or first) + 1)
