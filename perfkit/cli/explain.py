"""perfkit explain: the page of a rule, a lint check, a kind of sync, a rewrite or a fix."""

from __future__ import annotations

from difflib import get_close_matches

import click

from perfkit.base.errors import PerfkitError
from perfkit.cli._options import page_names
from perfkit.remedies.pages import ROOMS, Page, all_pages

_SHORT = 12


@click.command()
@click.argument("name", metavar="[NAME]", required=False, shell_complete=page_names)
def command(name: str | None) -> None:
    """Show the page of a rule, a code such as PK101, a kind of sync, a rewrite, or a fix.

    Without a name: the list of all. Nothing is imported to read a page, so torch is not needed.

    \b
    Examples:
      perfkit explain
      perfkit explain host-wait-in-step
      perfkit explain PK101
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


def shown(page: Page) -> str:
    """A page under its names, with the commands that follow from it."""
    after = "".join(f"\n{line}" for line in page.commands)
    return f"{' '.join(page.called)}: {page.what}\n\n{page.text}" + (f"\n{after}" if after else "")


def listed(pages: list[Page]) -> str:
    """One line per page, by room."""
    lines = []
    for room, what in ROOMS.items():
        lines.append(f"{what}:")
        inside = sorted((p for p in pages if p.room == room), key=lambda p: p.names[-1])
        width = max((len(page.called[0]) for page in inside), default=0)
        lines += [f"  {page.called[0]:{max(width, _SHORT)}}  {page.title}" for page in inside]
    return "\n".join(lines) + "\n"


def _nearest(asked: str, pages: list[Page]) -> str:
    names = {name.replace("-", "_").lower(): name for page in pages for name in page.called}
    near = get_close_matches(asked, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(names[name] for name in near) + "?"
    return "perfkit explain lists all names, perfkit docs writes one page of all of them"
