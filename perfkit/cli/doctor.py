"""perfkit doctor: versions, devices, permissions, and what a profile will show here."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # torch is imported only when the checks run
    from collections.abc import Sequence

    from perfkit.capture.doctor import Check, Observable

SCHEMA = "perfkit.doctor/1"
_STYLES = {
    "ok": "green",
    "yes": "green",
    "limited": "yellow",
    "simulated": "yellow",
    "missing": "dim",
    "no": "dim",
    "broken": "bold red",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--strict", is_flag=True, help="Exit with 3 when anything is missing or broken.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("profiles"),
    help="The folder where runs would be written.",
)
@click.pass_context
def command(ctx: click.Context, as_json: bool, strict: bool, out: Path) -> None:
    """What can be observed on this machine, what cannot, and why.

    \b
    Examples:
      perfkit doctor
      perfkit doctor --json
    """
    from perfkit.capture.doctor import examine, observable

    checks = examine(out)
    sights = observable(checks)
    if as_json:
        click.echo(json.dumps(to_json(checks, sights), indent=1))
    else:
        show(checks, sights)
    if strict and any(check.state in ("missing", "broken") for check in checks):
        ctx.exit(3)


def to_json(checks: Sequence[Check], sights: Sequence[Observable]) -> dict[str, object]:
    """The answers as JSON data."""
    return {
        "schema": SCHEMA,
        "checks": [asdict(check) for check in checks],
        "observable": [asdict(sight) for sight in sights],
    }


def show(checks: Sequence[Check], sights: Sequence[Observable]) -> None:
    """Two tables for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)

    def table(rows: Sequence[tuple[str, str, str]], *, title: str) -> None:
        console.print(Text(title, style="bold"))
        grid = Table.grid(padding=(0, 2), pad_edge=True)
        grid.add_column(max_width=40)
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, state, detail in rows:
            grid.add_row(Text(name), Text(state, style=_STYLES[state]), Text(detail))
        console.print(grid)

    table([(c.name, c.state, _detail(c)) for c in checks], title="This machine")
    console.print()
    table([(s.what, s.here, s.why) for s in sights], title="What a profile will show here")


def _detail(check: Check) -> str:
    return f"{check.detail}\n→ {check.advice}" if check.advice else check.detail
