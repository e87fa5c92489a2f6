"""`perfkit report A B`: what is written of two runs, and the gate that stands on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfkit.base.files import write_text

if TYPE_CHECKING:
    from perfkit.compare.comparison import Comparison
    from perfkit.model.diagnosis import Diagnosis

GATE = 3


def before_after(
    before: Diagnosis, after: Diagnosis, style: str | None, out: Path | None, fail_if: str | None
) -> int:
    """Write the comparison of two diagnoses; the exit code says whether the gate held.

    Args:
        style: html, md, json, terminal, sarif or github; None for the page and the terminal.
        out: where it goes; without it text goes to stdout and a page to reports/.

    Raises:
        PerfkitError: a limit cannot be read, or a file cannot be written.
    """
    from perfkit.compare.comparison import compare
    from perfkit.compare.gate import broken, limits, named

    asked = limits(fail_if) if fail_if is not None else ()
    comparison = compare(before, after)
    if style is None or style == "html":
        _page(comparison, out or _named(comparison), terminal=style is None)
    elif style == "sarif":
        from perfkit.cli._sarif import sarif_since_text

        _write(sarif_since_text(before, after, comparison), out)
    elif style == "github":
        from perfkit.integrations.github import annotated, write_summary

        write_summary(_markdown(comparison))
        _write(annotated(after), out)
    else:
        _write(_TEXTS[style](comparison), out)
    failures = broken(comparison, asked)
    for each in failures:
        click.echo(f"perfkit: gate {each.limit.text} does not hold: {each.why}", err=True)
    if asked and not failures:
        told = ", ".join(named(limit, comparison) for limit in asked)
        click.echo(f"perfkit: gate holds: {told}", err=True)
    return GATE if failures else 0


def _named(comparison: Comparison) -> Path:
    from perfkit.cli.report import file_name

    return Path("reports") / (
        f"{file_name(comparison.before)}-to-{file_name(comparison.after)}.html"
    )


def _page(comparison: Comparison, out: Path, terminal: bool) -> None:
    from rich.console import Console

    from perfkit.report import before_after

    write_text(out, before_after.page(comparison))
    if terminal:
        before_after.show(comparison, Console(highlight=False), str(out))
    else:
        click.echo(str(out))


def _markdown(comparison: Comparison) -> str:
    from perfkit.report import before_after

    return before_after.text(comparison)


def _json(comparison: Comparison) -> str:
    return json.dumps(comparison.to_json(), indent=1) + "\n"


def _terminal(comparison: Comparison) -> str:
    from rich.console import Console

    from perfkit.report import before_after

    console = Console(highlight=False)
    with console.capture() as written:
        before_after.show(comparison, console)
    return written.get()


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)


_TEXTS: dict[str, Callable[[Comparison], str]] = {
    "md": _markdown,
    "json": _json,
    "terminal": _terminal,
}
