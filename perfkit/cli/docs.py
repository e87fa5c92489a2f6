"""perfkit docs: everything perfkit knows, on one page that opens offline."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from perfkit.base.files import write_text


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the page goes.  [default: reports/reference.html]",
)
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@click.option(
    "--commands", is_flag=True, help="Only the commands, as Markdown; on stdout without --out."
)
def command(out: Path | None, show: bool, commands: bool) -> None:
    """Write one page of all commands, rules, checks, kinds of sync, rewrites and fixes.

    The page searches, loads nothing, and has an address for each of them: #PK101,
    #rule-host-wait-in-step, #kind-nonzero, #rewrite-moe_dispatch, #fix-any_guard, #command-profile.
    `perfkit explain NAME` shows the same text in the terminal.

    \b
    Examples:
      perfkit docs --open
      perfkit docs --out docs.html
    """
    from perfkit.cli import group
    from perfkit.cli._command_reference import described, exit_codes, markdown

    found = described(group)
    if commands:
        _write_commands(markdown(found, exit_codes(group)), out)
        return
    page = out or Path("reports") / "reference.html"
    write_text(page, reference())
    click.echo(f"{page}  {page.stat().st_size / 1024:.0f} KiB, opens offline")
    if show:
        webbrowser.open(page.resolve().as_uri())


def reference() -> str:
    """The page as HTML."""
    from importlib.metadata import version

    from perfkit.cli import group
    from perfkit.cli._command_reference import described, exit_codes
    from perfkit.report.reference import render

    return render(described(group), exit_codes(group), version("perfkit"))


def _write_commands(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
