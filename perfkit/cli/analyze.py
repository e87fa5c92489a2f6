"""`perfkit analyze`: what a trace says, whoever recorded it, on a machine without GPU or torch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfkit.base.files import write_text
from perfkit.cli import _exports
from perfkit.cli._options import elsewhere_option, export_options, page_options

if TYPE_CHECKING:  # numpy comes with these, and `perfkit --help` must not wait for it
    from perfkit.io._text import Progress
    from perfkit.model.diagnosis import Diagnosis
    from perfkit.model.events import Events


@dataclass(frozen=True)
class Options:
    """The options as given; None and False where they were not."""

    no_cache: bool
    report: Path | None
    no_report: bool
    as_json: bool
    redact: bool
    tb_compat: Path | None
    perfetto: Path | None
    out: Path | None
    cluster: str | None
    devices: tuple[str, ...]


@click.command()
@click.argument("sources", metavar="TRACE...", nargs=-1, required=True)
@page_options
@click.option("--json", "as_json", is_flag=True, help="The diagnosis as JSON on stdout, only that.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for diagnosis.json, the tables as CSV and, without --report, the page.",
)
@export_options
@elsewhere_option
@click.option("--no-cache", is_flag=True, help="Decode the trace afresh and leave no cache behind.")
@click.option(
    "--cluster", metavar="ADDRESS", help="Read many ranks on the workers of this Dask scheduler."
)
def command(sources: tuple[str, ...], **given: object) -> None:
    """Say where the time of a recorded trace went, and what to do.

    TRACE is a trace of torch.profiler (.json, .json.gz), a folder of them, a glob or a URL. Several
    traces are read as the ranks of one job.

    \b
    Examples:
      perfkit analyze trace.json.gz
      perfkit analyze 'ranks/*.json.gz' --report ranks.html
      perfkit analyze trace.json.gz --perfetto overlay.json.gz
    """
    from perfkit.cli._sources import traces

    options = Options(**given)  # type: ignore[arg-type]
    if options.report is not None and options.no_report:
        raise click.UsageError("--report and --no-report exclude each other")
    found = traces(sources)
    for given_file, option in (
        (options.tb_compat, "--tb-compat"),
        (options.perfetto, "--perfetto"),
    ):
        if given_file is not None:
            _exports.single(found, option)
    diagnosis = _one(found[0], options) if len(found) == 1 else _ranks(found, options)
    if options.tb_compat is not None:
        _exports.write_tb_compat(found[0], options.tb_compat)
    if options.redact:
        only = found[0] if len(found) == 1 else None
        diagnosis = _exports.redacted(diagnosis, only, options.out)
    _show(diagnosis, options)


def _one(source: str, options: Options) -> Diagnosis:
    from perfkit.analysis.trace_run import trace_run
    from perfkit.cli._other_device import named, with_other_devices
    from perfkit.remedies import with_remedies
    from perfkit.remedies.sources import unknown
    from perfkit.rules import diagnose

    elsewhere = named(options.devices)
    events = _read(source, options)
    name = _name(source)
    if options.perfetto is not None:
        _exports.write_perfetto(source, events, options.perfetto)
    run = trace_run(events, name, ("perfkit", "analyze", source))
    diagnosis = diagnose(replace(run, env={"trace": source, **run.env}))
    why = "a trace does not tell whether the file is still what ran"
    diagnosis = with_remedies(diagnosis, unknown(why))
    return with_other_devices(diagnosis, run, elsewhere) if elsewhere else diagnosis


def _read(source: str, options: Options) -> Events:
    from perfkit.io.chrome import read_trace
    from perfkit.io.trace_cache import cached_trace

    with _progress(_name(source)) as progress:
        return (read_trace if options.no_cache else cached_trace)(source, progress=progress)


def _ranks(sources: list[str], options: Options) -> Diagnosis:
    """The rank that holds up the others in full, and beside it what all ranks say together."""
    from perfkit.cli._ranks import analyze_ranks, workers
    from perfkit.io.chrome import read_trace
    from perfkit.io.trace_cache import cached_trace
    from perfkit.rules import with_ranks

    with workers(options.cluster, len(sources)) as executor:
        many = analyze_ranks(sources, executor, read_trace if options.no_cache else cached_trace)
    folder = Path(many.worst).parent.name or "ranks"
    base = _one(many.worst, options)
    return with_ranks(base, many.found, many.gaps, folder, many.worst_rank)


def _show(diagnosis: Diagnosis, options: Options) -> None:
    from perfkit.cli.report import file_name

    if options.out is not None:
        _exports.write_folder(diagnosis, options.out)
    page = None if options.no_report else options.report
    if page is None and not options.no_report and not options.as_json:
        name = f"{file_name(diagnosis.run)}.html"
        page = (options.out or Path("reports")) / name
    if page is not None:
        from perfkit.report.html import render

        write_text(page, render(diagnosis))
    if options.as_json:
        click.echo(json.dumps(diagnosis.to_json(), indent=1))
        return
    from rich.console import Console

    from perfkit.report import terminal

    terminal.render(diagnosis, Console(), page)
    if "other_device" in diagnosis.tables:
        from perfkit.cli._other_device import show

        show(diagnosis.tables["other_device"])


@contextmanager
def _progress(name: str) -> Iterator[Progress | None]:
    """A bar on stderr while a large trace is read; None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"reading {name}", total=None)
        yield lambda done, size: bar.update(task, completed=done, total=size)


def _name(source: str) -> str:
    """The file's name without the endings of a trace."""
    name = source.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    for ending in (".gz", ".json", ".trace", ".pt"):
        name = name.removesuffix(ending)
    return name or "trace"
