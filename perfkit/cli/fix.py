"""perfkit fix: rewrite the lines that codemods know."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # libcst is imported only when files are looked at
    from perfkit.cli._fix_evidence import Evidence
    from perfkit.fixes._apply import Outcome
    from perfkit.fixes._codemod import Fix

_WOULD_CHANGE = 3


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH[:LINE]]...", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Change the files instead of showing a diff.")
@click.option(
    "--check", is_flag=True, help="Exit with 3 where something would change; write nothing."
)
@click.option("--unsafe", is_flag=True, help="Also changes whose safety the text does not prove.")
@click.option("--select", metavar="FIX", multiple=True, help="Only this fix; may be repeated.")
@click.option("--ignore", metavar="FIX", multiple=True, help="Not this fix; may be repeated.")
@click.option(
    "--run",
    "seen_in",
    metavar="RUN",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Tell the sizes that this run saw at the line, and leave out what does not fit its shapes.",
)
@click.option(
    "--verify",
    "inputs",
    metavar="RUN",
    type=click.Path(path_type=Path, exists=True),
    help="Run what changes, before and after, on inputs that profile --capture-inputs kept there; with "
    "--write, write only what proves equal.",
)
@click.option("--list", "listed", is_flag=True, help="List the fixes.")
@click.option("--page", metavar="FIX", help="Show the page of one: what it does, why it is safe.")
def command(paths: tuple[Path, ...], listed: bool, page: str | None, **given: Any) -> int:
    """Show, as a diff, how files can wait less for the device; --write applies it.

    Only changes that compute the same, as the text itself proves, unless --unsafe. model.py:100 is one
    place of a file. A comment `# perfkit: allow FIX reason` keeps a line as it is. --verify
    imports the file, so its top level runs; exit code 3 where something differs or cannot be compared.

    \b
    Examples:
      perfkit fix train.py
      perfkit fix src --check
      perfkit fix model.py:100 --write
    """
    from perfkit.fixes._codemod import chosen

    if listed or page is not None:
        show_page(page) if page is not None else show_list()
        return 0
    if not paths:
        raise click.UsageError("name the files or folders to look at")
    if given["write"] and given["check"]:
        raise click.UsageError("--write changes files, --check only asks: give one of them")
    fixes = chosen(_split(given["select"]), _split(given["ignore"]))
    write, inputs = given["write"], given["inputs"]
    seen = _evidence(given["seen_in"])
    outcomes = looked_at(paths, fixes, unsafe=given["unsafe"], seen=seen)
    changed = [(path, outcome) for path, outcome in outcomes if outcome.changed]
    holds = True
    if inputs is not None and changed:
        from perfkit.cli._fix_verified import verified

        proofs = [verified(path, outcome, inputs) for path, outcome in changed]
        holds = all(proofs)
    written = write and holds
    _put(changed, write=written)
    _summary(outcomes, write=written)
    if inputs is None and written:
        _tell_check(changed)
    return _WOULD_CHANGE if not holds or (given["check"] and changed) else 0


def _evidence(run: Path | None) -> Evidence | None:
    if run is None:
        return None
    from perfkit.cli._fix_evidence import Evidence

    return Evidence(run)


def looked_at(
    paths: Sequence[Path], fixes: Mapping[str, Fix], *, unsafe: bool, seen: Evidence | None = None
) -> list[tuple[Path, Outcome]]:
    """What fixes make of each file; those with nothing to say left out."""
    from perfkit.fixes._apply import fixed
    from perfkit.fixes._files import places, read

    outcomes = []
    for path, lines in places(paths):
        rows = seen.of(path) if seen is not None else None
        outcome = fixed(read(path), fixes, unsafe=unsafe, at=lines, seen=rows)
        if outcome.changed or outcome.held or outcome.advice or outcome.skipped:
            outcomes.append((path, outcome))
    return outcomes


def _put(changed: list[tuple[Path, Outcome]], *, write: bool) -> None:
    """Replace the files, or show the diffs on stdout."""
    from perfkit.fixes._files import write as replace

    for path, outcome in changed:
        if write:
            replace(path, outcome.after)
        else:
            diff = outcome.diff(_shown(path))
            click.echo(diff.encode(outcome.encoding), nl=False)  # the file's own bytes: it applies


def _tell_check(changed: list[tuple[Path, Outcome]]) -> None:
    """How what was written can be compared with what was there, where git has that."""
    from perfkit.remedies.sources import functions_of

    for path, outcome in changed:
        lines = [first for note in outcome.changed for first, _ in note.spans]
        for name in functions_of(outcome.before, lines):
            place = f"{path.as_posix()}:{name}"
            words = ("perfkit", "compare", f"HEAD:{place}", place, "--inputs", "RUN/captured")
            click.echo(f"check it: {shlex.join(words)}", err=True)
    if changed:
        click.echo(
            "  RUN is the folder of a perfkit profile --capture-inputs FILE:FUNCTION; "
            "perfkit fix --verify RUN --write checks first",
            err=True,
        )


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
            told = f"write {note.text}" if note.to_write else f"left as it is: {note.text}"
            click.echo(f"{path}:{note.line}: {note.fix}: {told}", err=True)
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
