"""perfkit lint: what a program will make the host wait for, read from its source alone."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfkit.cli._colour import wanted
from perfkit.cli._options import page_names

if TYPE_CHECKING:
    from perfkit.lint._run import Result


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    help="For people, machines, code scanning, or GitHub workflow annotations.",
)
@click.option(
    "--select",
    metavar="CODES",
    shell_complete=page_names,
    help="Only these codes, or what begins so: PK1,PK201.",
)
@click.option("--ignore", metavar="CODES", shell_complete=page_names, help="Not these codes.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="File names to leave out.")
@click.option(
    "--all", "everything", is_flag=True, help="Also what runs once, and what is merely possible."
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever was found.")
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[Path, ...],
    style: str,
    select: str | None,
    ignore: str | None,
    exclude: tuple[str, ...],
    everything: bool,
    exit_zero: bool,
) -> None:
    """Find synchronisations and other waits in Python files, folders and notebooks.

    Nothing is run and torch is not needed. A finding is a guess that names its confidence;
    `perfkit profile` proves it. What is meant stays with a comment on its line or the line above:

        # perfkit: allow PK101 read once per epoch

    setup.cfg [perfkit:lint] or pyproject.toml [tool.perfkit.lint] hold select, ignore, exclude
    and hot (names of functions that run in every step). Exit code 3 when anything was found.
    `perfkit explain PK101` shows a check's page.

    \b
    Examples:
      perfkit lint src
      perfkit lint train.py --select PK1 --format github
    """
    from dataclasses import replace

    from perfkit.lint._run import lint_paths
    from perfkit.lint._settings import settings_for
    from perfkit.remedies.linted import with_fixes

    settings = settings_for(Path.cwd())
    settings = replace(
        settings,
        select=_codes(select) or settings.select,
        ignore=(*settings.ignore, *_codes(ignore)),
        exclude=(*settings.exclude, *exclude),
        everything=everything,
    )
    results = [with_fixes(result) for result in lint_paths(paths or (Path(),), settings)]
    _print(results, style)
    if not exit_zero and any(result.findings for result in results):
        ctx.exit(3)


def _codes(given: str | None) -> tuple[str, ...]:
    return tuple((given or "").replace(",", " ").split())


def _print(results: list[Result], style: str) -> None:
    from perfkit.lint._sarif import sarif
    from perfkit.lint._show import as_json, github, text

    if style == "json":
        click.echo(as_json(results), nl=False)
    elif style == "sarif":
        click.echo(sarif(results, version("perfkit")), nl=False)
    elif style == "github":
        click.echo(github(results), nl=False)
    else:
        click.echo(text(results, colour=wanted()), nl=False)
