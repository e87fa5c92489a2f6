"""perfkit explain: the page of a rule, a lint check, a kind of sync or a rewrite."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import click

from perfkit.base.errors import PerfkitError

_ROOMS = {
    "lint": "check of perfkit lint",
    "catalogue": "kind of synchronisation",
    "rules": "rule",
    "rewrites": "rewrite",
}
_SHORT = 12
_OWN = {
    "pk900": "A file that cannot be read as Python.\n\nIt was left out; the other files were read.",
    "pk901": "A comment that allows something without a reason.\n\n"
    "Write the reason behind the code: # perfkit: allow PK101 read once per epoch",
}
"""What `perfkit lint` says of files and comments, without a check of its own."""


@dataclass(frozen=True)
class Page:
    """One page: its names (a file's name, with dashes too, and a code), what it is, and its text."""

    names: tuple[str, ...]
    room: str
    text: str

    @property
    def title(self) -> str:
        return self.text.splitlines()[0] if self.text else ""


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
def command(name: str | None) -> None:
    """Show the page of a rule, a code such as PK101, a kind of sync, or a rewrite.

    Without a name: the list of all. Nothing is imported to read a page, so torch is not needed.
    """
    pages = list(all_pages())
    if name is None:
        click.echo(listed(pages), nl=False)
        return
    asked = name.strip().replace("-", "_").lower()
    found = [page for page in pages if asked in page.names]
    if not found:
        raise PerfkitError(f"nothing here is called {name!r}", _nearest(asked, pages))
    click.echo("\n\n".join(shown(page) for page in found))


def all_pages() -> Iterator[Page]:
    """Every page, read from the source files."""
    root = Path(__file__).resolve().parents[1]
    for room in _ROOMS:
        for file in sorted((root / room).iterdir()):
            page = file / "__init__.py" if file.is_dir() else file
            if file.name.startswith(("_", ".")) or page.suffix != ".py" or not page.exists():
                continue
            tree = ast.parse(page.read_text(encoding="utf-8"))
            text = (ast.get_docstring(tree) or "").strip()
            code = _constant(tree, "CODE")
            names = (file.stem.lower(), *((code.lower(),) if code else ()))
            yield Page(names, room, text)
    for code, text in _OWN.items():
        yield Page(("", code), "lint", text)


def _constant(tree: ast.Module, name: str) -> str | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            targets = [t.id for t in node.targets if isinstance(t, ast.Name)]
            if name in targets and isinstance(node.value.value, str):
                return node.value.value
    return None


def shown(page: Page) -> str:
    """A page under its names."""
    names = " ".join(_spelt(page, name) for name in reversed(page.names) if name)
    more = f"\n\nperfkit rewrites {page.names[0]}\nperfkit verify {page.names[0]}"
    return f"{names}: {_ROOMS[page.room]}\n\n{page.text}{more if page.room == 'rewrites' else ''}"


def listed(pages: list[Page]) -> str:
    """One line per page, by room."""
    lines = []
    for room, what in _ROOMS.items():
        lines.append(f"{what}:")
        inside = [page for page in pages if page.room == room]
        inside.sort(key=lambda page: page.names[-1])
        width = max((len(_spelt(p, p.names[-1])) for p in inside), default=0)
        lines += [f"  {_spelt(p, p.names[-1]):{max(width, _SHORT)}}  {p.title}" for p in inside]
    return "\n".join(lines) + "\n"


def _spelt(page: Page, name: str) -> str:
    """Codes in capitals, rules with dashes, as they are printed elsewhere."""
    if page.room == "lint" and name != page.names[0]:
        return name.upper()
    return name.replace("_", "-") if page.room == "rules" else name


def _nearest(asked: str, pages: list[Page]) -> str:
    names = {name: _spelt(page, name) for page in pages for name in page.names if name}
    near = get_close_matches(asked, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(names[name] for name in near) + "?"
    return "perfkit explain lists all names"
