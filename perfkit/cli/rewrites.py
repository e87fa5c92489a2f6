"""perfkit rewrites: what to write instead, with its page."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # torch is imported only when a rewrite is looked up
    from rich.console import Console
    from rich.text import Text

    from perfkit.rewrites._rewrite import Form, Rewrite


@click.command()
@click.argument("rewrite_id", metavar="[ID]", required=False)
def command(rewrite_id: str | None) -> None:
    """List the rewrites shipped here, or show the page of one.

    A page says what the rewrite replaces, when it wins and when not, and what to beware of.
    `perfkit verify ID` proves and measures it on this machine.

    \b
    Examples:
      perfkit rewrites
      perfkit rewrites moe_dispatch
    """
    from rich.console import Console

    from perfkit.rewrites._rewrite import page, rewrite, rewrites

    console = Console(highlight=False)
    if rewrite_id is None:
        show_list(console, rewrites())
        return
    declared = rewrite(rewrite_id)
    module = page(rewrite_id)
    click.echo(reflowed(inspect.getdoc(module) or "", console.width))
    show_forms(console, declared)
    function = getattr(module, rewrite_id)
    click.echo(f"\nfrom {module.__name__} import {rewrite_id}\n")
    click.echo(f"{rewrite_id}({', '.join(_parameters(function))})")
    click.echo(textwrap.indent(inspect.getdoc(function) or "", "    "))
    click.echo(f"\nperfkit verify {rewrite_id}")


def reflowed(text: str, width: int) -> str:
    """Paragraphs filled anew where the terminal is narrower than the source."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        same = blocks and blocks[-1][-1].strip() and line.strip()
        if same and len(blocks[-1][-1]) - len(blocks[-1][-1].lstrip()) == depth:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return "\n".join(_filled(block, width) for block in blocks)


def _filled(block: list[str], width: int) -> str:
    if all(len(line) <= width for line in block):
        return "\n".join(block)
    indent = block[0][: len(block[0]) - len(block[0].lstrip())]
    return textwrap.fill(
        " ".join(line.strip() for line in block),
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _parameters(function: Callable[..., object]) -> list[str]:
    """Names with defaults, without annotations: the text below says what they are."""
    return [
        f"{'*' if one.kind is one.VAR_POSITIONAL else ''}{name}"
        + ("" if one.default is one.empty else f"={_written(one.default)}")
        for name, one in inspect.signature(function).parameters.items()
    ]


def _written(default: object) -> str:
    """As it stands in the source."""
    if isinstance(default, Enum):
        return str(default)
    return getattr(default, "__name__", repr(default))


def show_list(console: Console, declared: dict[str, Rewrite]) -> None:
    """One line per rewrite."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, one in declared.items():
        text = Text(one.title)
        approximate = sum(not form.exact for form in one.forms)
        if approximate:
            text.append(f"  ({approximate} of {len(one.forms)} forms approximate)", style="dim")
        grid.add_row(Text(name, style="bold"), text)
    console.print(grid)
    console.print("\nperfkit rewrites ID shows a page; perfkit verify ID proves and measures it")


def show_forms(console: Console, declared: Rewrite) -> None:
    """The forms with their names, as `verify --form` takes them."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for form in declared.found:
        grid.add_row(Text(form.name), Text("found", style="dim"), Text(form.wins))
    for form in declared.forms:
        grid.add_row(Text(form.name, style="bold"), *_described(form))
    for form in declared.traps:
        grid.add_row(Text(form.name), Text("trap", style="red"), Text(form.wins))
    console.print("\nForms")
    console.print(grid)


def _described(form: Form) -> tuple[Text, Text]:
    from rich.text import Text

    if form.exact:
        return Text("exact", style="green"), Text(form.wins)
    changes = f"{form.wins}; changes: {form.approximates}"
    return Text("approximate", style="yellow"), Text(changes)
