"""Options that several commands share, declared once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

_CODE = re.compile(r'^CODE = "(PK\d+)"', re.MULTILINE)
_Command = TypeVar("_Command", bound=Callable[..., Any])


def page_options(command: _Command) -> _Command:
    """`--report` and `--no-report`: where the page goes, or that there is none."""
    where = click.option(
        "--report", type=click.Path(path_type=Path), metavar="FILE", help="Where the page goes."
    )
    return where(click.option("--no-report", is_flag=True, help="Write no page.")(command))


def export_options(command: _Command) -> _Command:
    """`--perfetto`, `--tb-compat` and `--redact`: the trace for other tools and other people."""
    perfetto = click.option(
        "--perfetto",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write the trace with idle causes, waits, critical path and launch queue as tracks.",
    )
    tb_compat = click.option(
        "--tb-compat",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write the trace as TensorBoard's profiler plugin reads it (.json.gz).",
    )
    redact = click.option(
        "--redact", is_flag=True, help="Leave out host, user, paths and names, for sharing."
    )
    return perfetto(tb_compat(redact(command)))


def elsewhere_option(command: _Command) -> _Command:
    """`--for`: predict the step on devices that are not at hand."""
    return click.option(
        "--for",
        "devices",
        multiple=True,
        metavar="DEVICE",
        help="Predict the step on another device: h200, 'a100 pcie 40gb', mi300x (`perfkit peaks --list`).",
    )(command)


def named_run(source: Path) -> Path:
    """A run under profiles/ by its name alone, too."""
    inside = Path("profiles") / source
    return inside if not source.exists() and inside.is_dir() else source


def run_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes the names of the runs under profiles/, and paths where none begins so."""
    del ctx, param
    found = sorted(folder.parent.name for folder in Path("profiles").glob("*/*.json"))
    names = [name for name in dict.fromkeys(found) if name.startswith(incomplete)]
    return [CompletionItem(name, help="run") for name in names] or [
        CompletionItem(incomplete, type="file")
    ]


def page_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes what `perfkit explain` has a page for: rules, kinds, rewrites, fixes and codes.

    Pages are not read for it, only file names and, of checks, the line with their code.
    """
    del ctx, param
    asked = incomplete.strip().replace("-", "_").lower()
    root = Path(__file__).resolve().parents[1]
    found = []
    for room in ("rules", "catalogue", "rewrites", "fixes", "lint"):
        for file in sorted((root / room).iterdir()):
            name = file.stem
            if name.startswith(("_", ".")) or not (file.is_dir() or file.suffix == ".py"):
                continue
            shown = name.replace("_", "-") if room == "rules" else name
            if room == "lint" and (code := _code(file)).lower().startswith(asked):
                found.append(CompletionItem(code, help=name.replace("_", " ")))
            if name.startswith(asked) and (asked or room != "lint"):
                found.append(CompletionItem(shown, help=room))
    return sorted(found, key=lambda item: str(item.value))


def _code(check: Path) -> str:
    """`PK101`, as its file says; a dash where it says none."""
    match = _CODE.search(check.read_text(encoding="utf-8"))
    return match.group(1) if match else "-"
