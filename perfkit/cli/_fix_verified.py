"""`perfkit fix --verify`: what a fix changes, run before and after on inputs that a run captured."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import click

from perfkit.base.errors import PerfkitError

if TYPE_CHECKING:  # torch is imported only when there is something to run
    from perfkit.fixes._apply import Outcome


def verified(path: Path, outcome: Outcome, run: Path) -> bool:
    """Whether every changed function of a file does the same as before; says so on stderr.

    Raises:
        PerfkitError: nothing in the run belongs to what changed.
    """
    from perfkit.cli._found_functions import function_in
    from perfkit.cli._two_functions import Asked, compare_functions
    from perfkit.cli.compare import captured_files
    from perfkit.remedies.sources import functions_of
    from perfkit.rewrites._inputs_file import function_of

    lines = [first for note in outcome.changed for first, _ in note.spans]
    names = functions_of(outcome.before, lines)
    files = {file: function_of(file) for file in captured_files((run,))}
    mine = {n: [f for f, said in files.items() if is_of(said, path, n)] for n in names}
    missing = [name for name, found in mine.items() if not found]
    if missing or not names:
        wanted = " ".join(
            f"--capture-inputs {path.name}:{name}" for name in missing or ["FUNCTION"]
        )
        raise PerfkitError(
            f"{run} holds no calls of {', '.join(missing) or f'what changes in {path}'}",
            f"capture some: perfkit profile {wanted} SCRIPT",
        )
    modules = _modules(path, outcome)
    holds = True
    for name, found in mine.items():
        before, after = (function_in(module, name) for module in modules)
        for row in compare_functions(before, after, found, Asked()):
            click.echo(f"{path}:{name} on {row.path.name}: {row.verdict(strict=False)}", err=True)
            for line in row.lines():
                click.echo(f"  {line}", err=True)
            same = row.behaviour is not None and row.behaviour.level() != "different"
            holds = holds and same and row.proves
    return holds


def _modules(path: Path, outcome: Outcome) -> tuple[ModuleType, ModuleType]:
    from perfkit.cli._found_functions import module_of

    return module_of(path, outcome.before), module_of(path, outcome.after)


def is_of(said: str, path: Path, name: str) -> bool:
    """Whether a captured call, as the user named it, is one of this function of this file."""
    module, colon, function = said.rpartition(":")
    if not colon:  # the class of a module, whose forward it was
        return name.rpartition(".")[2] == "forward" and f"{said}.forward".endswith(name)
    stem = Path(module.removesuffix(".py")).name.rpartition(".")[2]
    return function == name and stem in (path.stem, "__main__")
