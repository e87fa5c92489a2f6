"""Source text around a place: the statement, its neighbours, the function it stands in.

Everything comes through `linecache`, so code that lives in no file (a notebook cell) works too.
Unreadable source is None, never an empty string that looks like a blank line.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from perfkit.model.syncs import Frame

_AROUND = 3
_STATEMENT_LINES = 4
_CODE_CHARACTERS = 200
_LINE_CHARACTERS = 500
_FILE_BYTES = 20_000_000
_FILE_CHARACTERS = 2_000_000
"""Beyond this a file is not parsed: the line alone has to do."""
_STEPS = re.compile(
    r"loader|epoch|\bsteps?\b|\bbatch(es)?\b|iteration|\btrain_|num_steps|dataset", re.IGNORECASE
)
_LEARNS = re.compile(r"\.backward\(|\.step\(|zero_grad\(|\bperfkit\.step\b")


@dataclass(frozen=True)
class SourceLine:
    """One line of context; `marked` where it belongs to the statement in question."""

    number: int
    text: str
    marked: bool


@dataclass(frozen=True)
class Source:
    """The statement at a place.

    Attributes:
        code: the statement on one line; of a statement longer than four lines, the line alone.
        function: qualified name of what it stands in, `SMoE.forward`; "" at module level.
        lines: the statement with three lines on either side.
        loop: line of the innermost `for` or `while` around it in the same function; None outside.
        loop_text: that line; empty outside.
        through_steps: that loop goes through the steps themselves, so it cannot be left out.
    """

    code: str
    function: str
    lines: tuple[SourceLine, ...]
    loop: int | None = None
    loop_text: str = ""
    through_steps: bool = False

    @property
    def repeated_by(self) -> int | None:
        """Line of the loop around it, unless that is the loop of the steps."""
        return None if self.through_steps else self.loop


def source_at(place: Frame | None) -> Source | None:
    """The source at `place`; None where it cannot be read."""
    if place is None:
        return None
    lines = lines_of(place.file)
    if not 1 <= place.line <= len(lines):
        return None
    index = _index("".join(lines))
    first, last = index.spans.get(place.line, (place.line, place.line))
    if last - first >= _STATEMENT_LINES:  # one line of a long call says more than all of it
        first = last = place.line
    last = min(last, len(lines))
    shown = range(max(1, first - _AROUND), min(len(lines), last + _AROUND) + 1)
    context = tuple(
        SourceLine(n, lines[n - 1][:_LINE_CHARACTERS].rstrip(), first <= n <= last) for n in shown
    )
    code = " ".join(lines[n - 1].strip() for n in range(first, last + 1))
    if len(code) > _CODE_CHARACTERS:
        code = code[:_CODE_CHARACTERS].rstrip() + " …"
    function, loop = index.functions.get(place.line, ""), index.loops.get(place.line)
    header = lines[loop - 1].strip()[:_CODE_CHARACTERS] if loop else ""
    return Source(code, function, context, loop, header, loop in index.through_steps)


def learns(lines: Sequence[str]) -> bool:
    """Whether something is trained in these lines."""
    return any(_LEARNS.search(line) for line in lines)


def names_steps(header: str) -> bool:
    """Whether the header of a loop speaks of steps, batches or epochs."""
    return bool(_STEPS.search(header))


def functions_of(file: str) -> dict[int, str]:
    """The qualified name of the function around each line that stands in one."""
    return _index(text_of(file)).functions


def text_of(file: str) -> str:
    """The whole file; empty where it cannot be read or is too large to be parsed."""
    text = "".join(lines_of(file))
    return text if len(text) <= _FILE_CHARACTERS else ""


def lines_of(file: str) -> list[str]:
    """The file's lines, the same list until it changes; none for what is no ordinary file."""
    # a device would never end
    if file in linecache.cache or (os.path.isfile(file) and os.path.getsize(file) < _FILE_BYTES):
        return linecache.getlines(file)
    return []


@dataclass(frozen=True)
class _Index:
    """Per line: the innermost statement's first and last line, the enclosing name, the loop around.

    `through_steps` are the lines of those loops that go through the steps themselves.
    """

    spans: dict[int, tuple[int, int]]
    functions: dict[int, str]
    loops: dict[int, int | None]
    through_steps: frozenset[int] = frozenset()


@lru_cache(maxsize=32)
def _index(text: str) -> _Index:
    try:
        tree = ast.parse(text if len(text) <= _FILE_CHARACTERS else "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _Index({}, {}, {})
    spans: dict[int, tuple[int, int]] = {}
    functions: dict[int, str] = {}
    loops: dict[int, int | None] = {}
    lines, through_steps = text.split("\n"), set()
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    # From the outside in, so that the innermost has the last word.
    for node in sorted(statements, key=lambda node: node.lineno - (node.end_lineno or node.lineno)):
        first, last = _head(node)
        spans.update(dict.fromkeys(range(first, last + 1), (first, last)))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            outer = functions.get(node.lineno)
            name = f"{outer}.{node.name}" if outer else node.name
            body = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            functions.update(dict.fromkeys(body, name))
            loops.update(dict.fromkeys(body))  # a loop around a definition is no loop of its body
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            inside = range(
                node.lineno + isinstance(node, ast.For), (node.end_lineno or node.lineno) + 1
            )
            loops.update(dict.fromkeys(inside, node.lineno))
            whole = lines[node.lineno - 1 : node.end_lineno]
            if learns(whole) or any(names_steps(header) for header in whole[:1]):
                through_steps.add(node.lineno)
    return _Index(spans, functions, loops, frozenset(through_steps))


def _head(node: ast.stmt) -> tuple[int, int]:
    """First and last line of a statement; of `if`, `for`, `def` and the like without the body."""
    first, last = node.lineno, node.end_lineno or node.lineno
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        last = max(first, min(last, body[0].lineno - 1))
    return first, last
