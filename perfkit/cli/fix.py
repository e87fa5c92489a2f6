"""perfkit fix: rewrite the lines that codemods know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # libcst is imported only when files are looked at
    from perfkit.fixes._apply import Outcome
    from perfkit.fixes._codemod import Fix

_WOULD_CHANGE = 3


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Change the files instead of showing a diff.")
@click.option(
    "--check", is_flag=True, help="Exit with 3 where something would change; write nothing."
)
@click.option("--unsafe", is_flag=True, help="Also changes whose safety the text does not prove.")
@click.option("--select", metavar="FIX", multiple=True, help="Only this fix; may be repeated.")
@click.option("--ignore", metavar="FIX", multiple=True, help="Not this fix; may be repeated.")
@click.option("--list", "listed", is_flag=True, help="List the fixes.")
@click.option("--page", metavar="FIX", help="Show the page of one: what it does, why it is safe.")
def command(
    paths: tuple[Path, ...],
    write: bool,
    check: bool,
    unsafe: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    listed: bool,
    page: str | None,
) -> int:
    """Show, as a diff, how files can wait less for the device; --write applies it.

    Only changes that compute the same, as the text itself proves, unless --unsafe. A comment
    `# perfkit: allow FIX reason` keeps a line as it is.
    """
    from perfkit.fixes._codemod import chosen

    if listed or page is not None:
        show_page(page) if page is not None else show_list()
        return 0
    if not paths:
        raise click.UsageError("name the files or folders to look at")
    if write and check:
        raise click.UsageError("--write changes files, --check only asks: give one of them")
    fixes = chosen(_split(select), _split(ignore))
    outcomes = looked_at(paths, fixes, unsafe=unsafe, write=write)
    changed = [outcome for _, outcome in outcomes if outcome.changed]
    _summary(outcomes, write=write)
    return _WOULD_CHANGE if check and changed else 0


def looked_at(
    paths: Sequence[Path], fixes: Mapping[str, Fix], *, unsafe: bool, write: bool
) -> list[tuple[Path, Outcome]]:
    """Fix file by file; diffs go to stdout as they come, or the files are replaced."""
    from perfkit.fixes._apply import fixed
    from perfkit.fixes._files import python_files, read
    from perfkit.fixes._files import write as replace

    outcomes = []
    for path in python_files(paths):
        outcome = fixed(read(path), fixes, unsafe=unsafe)
        if outcome.changed and write:
            replace(path, outcome.after)
        elif outcome.changed:
            diff = outcome.diff(_shown(path))
            click.echo(diff.encode(outcome.encoding), nl=False)  # the file's own bytes: it applies
        if outcome.changed or outcome.held or outcome.advice or outcome.skipped:
            outcomes.append((path, outcome))
    return outcomes


def show_list() -> None:
    """One line per fix."""
    from perfkit.fixes._codemod import fixes

    for name, fix in fixes().items():
        click.echo(f"{name:22}{'safe' if fix.safe else 'unsafe':8}{fix.title}")


def show_page(name: str) -> None:
    """The docstring of a fix."""
    import inspect

    from perfkit.base import plugins

    module = plugins.module("perfkit.fixes", name)
    click.echo(inspect.getdoc(module))


def _summary(outcomes: list[tuple[Path, Outcome]], *, write: bool) -> None:
    """What was done, held back and left to be written, to stderr: stdout is the diff."""
    for path, outcome in outcomes:
        if outcome.skipped:
            click.echo(f"{path}: left alone: {outcome.skipped}", err=True)
        for note in outcome.advice:
            click.echo(f"{path}:{note.line}: {note.fix}: write {note.text}", err=True)
        for note in outcome.held:
            click.echo(f"{path}:{note.line}: {note.fix} needs --unsafe: {note.text}", err=True)
        for note in outcome.changed:
            if not note.safe:
                click.echo(f"{path}:{note.line}: {note.fix}: {note.text}", err=True)
    changes = sum(len(outcome.changed) for _, outcome in outcomes)
    files = sum(bool(outcome.changed) for _, outcome in outcomes)
    if not changes:
        click.echo("perfkit fix: nothing to do", err=True)
    else:
        done = "changed" if write else "would change"
        hint = "" if write else "; --write applies it"
        click.echo(
            f"perfkit fix: {done} {_count(changes, 'place')} in {_count(files, 'file')}{hint}",
            err=True,
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _shown(path: Path) -> str:
    """The path as `git apply` and `patch -p1` take it."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix().lstrip("/")


def _split(names: tuple[str, ...]) -> list[str]:
    return [part for name in names for part in name.split(",") if part]
