"""The command line: one file per command. Starts without torch, pandas and plotly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError
from perfkit.cli._colour import asked as colour_asked

_BUG = (
    "perfkit: this is a bug in perfkit, not in your program; please report it with the text below\n"
)


_EXIT_CODES = """
\b
Exit codes:
  0    done, and every gate held
  1    a bug of perfkit
  2    something to mend: a mistake on the command line, a file that is not there
  3    a gate did not hold: findings, a limit, results that differ
  130  interrupted
perfkit profile exits with the script's own code.

\b
Completion for your shell: perfkit completion bash (or zsh, fish)
"""


class _Commands(click.Group):
    """Finds commands by file name: `cli/x.py` defines `command`.

    To list them their files are not imported, only the first line of each is read.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return plugins.names("perfkit.cli")

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in plugins.names("perfkit.cli"):
            return None
        command = plugins.module("perfkit.cli", name).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name.startswith("-") or ctx.resilient_parsing or name in self.list_commands(ctx):
            return super().resolve_command(ctx, args)
        raise PerfkitError(f"there is no command {name!r}", _meant(name, self.list_commands(ctx)))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _what(name)) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=_what(name)) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def _what(name: str) -> str:
    """What a command does: the first line of its file, without its name."""
    with Path(__file__).with_name(f"{name}.py").open(encoding="utf-8") as file:
        return file.readline().strip().strip('"').partition(": ")[2]


def _meant(name: str, known: Sequence[str]) -> str:
    """What the user may have had in mind."""
    near = get_close_matches(name, known, n=2, cutoff=0.5)
    if name.endswith(".py"):
        return f"to run a script: perfkit profile {name}"
    if Path(name).is_dir() or Path("profiles", name).is_dir():
        return f"to show a run: perfkit report {name}"
    if near:
        return f"did you mean: {' or '.join(f'perfkit {each}' for each in near)}?"
    return "perfkit --help lists them"


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EXIT_CODES,
)
@click.version_option(package_name="perfkit")
@click.pass_context
def group(ctx: click.Context) -> None:
    """perfkit: which line is slow, how much it costs, and what to write instead.

    \b
    Examples:
      perfkit doctor                 what can be observed on this machine
      perfkit profile train.py       measure a script as it is, and write a report
      perfkit explain host-wait-in-step
      perfkit fix train.py           show as a diff what can be changed
      perfkit report before after    what two runs differ in
    """
    ctx.color = colour_asked()


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Entry point. Exit codes: see `perfkit --help`."""
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
