"""The pages of rules, lint checks, kinds of sync, rewrites and fixes, read from their source files.

Nothing is imported to read a page, so torch is not needed.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from perfkit.fixes import _answers

ROOMS = {
    "lint": "check of perfkit lint",
    "catalogue": "kind of synchronisation",
    "rules": "rule",
    "rewrites": "rewrite",
    "fixes": "fix",
}
"""Rooms that have pages, and what one of theirs is."""

_OWN = {
    "pk900": "A file that cannot be read as Python.\n\nIt was left out; the other files were read.",
    "pk901": "A comment that allows something without a reason.\n\n"
    "Write the reason behind the code: # perfkit: allow PK101 read once per epoch",
}
"""What `perfkit lint` says of files and comments, without a check of its own."""


@dataclass(frozen=True)
class Page:
    """One page: its names (a file's name, and a code), what it is, and its text."""

    names: tuple[str, ...]
    room: str
    text: str

    @property
    def title(self) -> str:
        return self.text.splitlines()[0] if self.text else ""

    @property
    def called(self) -> tuple[str, ...]:
        """Its names as they are printed elsewhere: a code first, in capitals; rules with dashes."""
        name, *codes = self.names
        shown = name.replace("_", "-") if self.room == "rules" else name
        return tuple(each for each in (*(code.upper() for code in codes), shown) if each)

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type after reading it."""
        name = self.names[0]
        given = {
            "rewrites": (f"perfkit rewrites {name}", f"perfkit verify {name}"),
            "fixes": (f"perfkit fix --select {name} PATH",),
        }
        return given.get(self.room, ())

    @property
    def what(self) -> str:
        """What it is, in words."""
        return ROOMS[self.room]

    def section(self, *titles: str) -> str:
        """The text under the first of these headings that there is, at the margin; empty without."""
        lines = self.text.splitlines()
        for title in titles:
            if title in lines:
                below = lines[lines.index(title) + 1 :]
                end = next((n for n, line in enumerate(below) if line[:1].strip()), len(below))
                return textwrap.dedent("\n".join(below[:end])).strip()
        return ""


def all_pages() -> Iterator[Page]:
    """Every page, room by room."""
    for room in ROOMS:
        for name in _files(room):
            found = page(room, name)
            if found is not None:
                yield found
    for code, text in _OWN.items():
        yield Page(("", code), "lint", text)


@cache
def page(room: str, name: str) -> Page | None:
    """The page of one plug-in by its file's name; None where there is no such file."""
    path = _files(room).get(name)
    if path is None:
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    text = (ast.get_docstring(tree) or "").strip()
    code = _constant(tree, "CODE")
    if code is not None:
        text += f"\n\n{_joined(code, _constant(tree, 'KIND'))}"
    return Page((name.lower(), *((code.lower(),) if code else ())), room, text)


def _joined(code: str, kind: str | None) -> str:
    """What a check of the source goes with: evidence of a run, and fixes; as the plug-ins declare it."""
    seen = (
        f"the kind `{kind}` (`perfkit explain {kind}`)" if kind else "no synchronisation of its own"
    )
    fixes = _answers.fitting((code,))
    names = ", ".join(f"`{one}`" for one in fixes) or "none by itself"
    command = f" (`perfkit fix --select {','.join(fixes)} PATH`)" if fixes else ""
    return f"**At run time**: {seen}.\n\n**Fix**: {names}{command}."


@cache
def _files(room: str) -> dict[str, Path]:
    found = {}
    for file in sorted((Path(__file__).resolve().parents[1] / room).iterdir()):
        path = file / "__init__.py" if file.is_dir() else file
        if not file.name.startswith(("_", ".")) and path.suffix == ".py" and path.exists():
            found[file.stem] = path
    return found


def _constant(tree: ast.Module, name: str) -> str | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            targets = [t.id for t in node.targets if isinstance(t, ast.Name)]
            if name in targets and isinstance(node.value.value, str):
                return node.value.value
    return None
