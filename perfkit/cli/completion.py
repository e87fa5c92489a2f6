"""perfkit completion: a script that lets bash, zsh or fish complete commands, options and runs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_PERFKIT_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes perfkit's commands, options, runs and rules.

    It asks perfkit itself, so it stays right when perfkit changes. bash needs version 4.4 or later.

    \b
    Examples:
      source <(perfkit completion bash)
      perfkit completion bash >> ~/.bashrc
      perfkit completion zsh >> ~/.zshrc
      perfkit completion fish > ~/.config/fish/completions/perfkit.fish
    """
    from perfkit.cli import group

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(group, {}, "perfkit", _VARIABLE).source(), nl=False)
