"""The command line: one file per command. Starts without torch, pandas and plotly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError

_BUG = (
    "perfkit: this is a bug in perfkit, not in your program; please report it with the text below\n"
)


class _Commands(click.Group):
    """Finds commands by file name: `cli/x.py` defines `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return plugins.names("perfkit.cli")

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in plugins.names("perfkit.cli"):
            return None
        command = plugins.module("perfkit.cli", name).command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="perfkit")
def group() -> None:
    """perfkit: which line is slow, how much it costs, and what to write instead."""


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Entry point. Exit codes: 0 done; the script's own; 2 a user's mistake; 1 a bug of ours."""
    ours = True
    try:
        code = group.main(args, prog_name="perfkit", standalone_mode=False)
        ours = False
    except PerfkitError as error:
        ours = False
        click.echo(f"perfkit: {error}", err=True)
        code = 2
    except click.ClickException as error:
        ours = False
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        ours = False
        click.echo("perfkit: interrupted", err=True)
        code = 130
    except SystemExit:
        ours = False
        raise
    finally:
        if ours:
            sys.stderr.write(_BUG)
    sys.exit(code if isinstance(code, int) else 0)
