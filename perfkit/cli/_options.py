"""Options that several commands share, declared once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

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
