"""Clock readings in the source with what lies between: `t = time.time()` … `time.time() - t`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from perfkit.analysis.source import text_of
from perfkit.model.syncs import Frame

_CLOCKS = frozenset({"time", "perf_counter", "monotonic", "perf_counter_ns", "time_ns"})
_WAITS = re.compile(
    r"synchronize\(|\.(item|tolist|cpu|numpy)\(|\bblock_until_ready\b|\b(float|int|bool)\("
)


@dataclass(frozen=True)
class Timer:
    """A stretch of lines that is timed by the host's clock.

    Attributes:
        place: where the clock is read for the second time, with the function's name.
        first, last: the lines of both readings.
        waits: the source waits for the device, or may, between the two.
    """

    place: Frame
    first: int
    last: int
    waits: bool

    def holds(self, place: Frame) -> bool:
        """True for a line between the readings."""
        return place.file == self.place.file and self.first < place.line <= self.last


def timers(file: str) -> tuple[Timer, ...]:
    """The timers of a file, in order; none where it cannot be read."""
    return _timers(file, text_of(file))


@lru_cache(maxsize=64)
def _timers(file: str, text: str) -> tuple[Timer, ...]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    lines = text.splitlines()
    found = []
    functions = [
        n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    for body, name in ((tree, "<module>"), *((f, f.name) for f in functions)):
        for first, last in _readings(body):
            waits = any(_WAITS.search(line) for line in lines[first:last])
            found.append(Timer(Frame(file, last, name), first, last, waits))
    return tuple(sorted(set(found), key=lambda timer: timer.place))


def _readings(body: ast.AST) -> Iterator[tuple[int, int]]:
    """Lines of a reading that is kept, and of the next subtraction of it."""
    kept: dict[str, list[int]] = {}
    ends: list[tuple[str, int]] = []
    for node in _own(body):
        if isinstance(node, ast.Assign) and _is_clock(node.value):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    kept.setdefault(target.id, []).append(node.lineno)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            ends += _ended(node)
    for name, last in ends:
        before = [line for line in kept.get(name, ()) if line < last]
        if before:
            yield max(before), last


def _ended(node: ast.BinOp) -> list[tuple[str, int]]:
    if isinstance(node.right, ast.Name) and _is_clock(node.left):
        return [(node.right.id, node.lineno)]
    return []


def _own(body: ast.AST) -> Iterator[ast.AST]:
    """Everything in a function but what belongs to functions inside it."""
    waiting = list(ast.iter_child_nodes(body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def _is_clock(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    name = node.func.id if isinstance(node.func, ast.Name) else name
    return name in _CLOCKS
