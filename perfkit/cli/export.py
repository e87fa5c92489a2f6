"""`perfkit export`: a run or a trace for other tools, and for other people."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfkit.base.errors import PerfkitError
from perfkit.cli._options import export_options, run_names
from perfkit.cli._sources import one_source

if TYPE_CHECKING:  # numpy comes with these, and `perfkit --help` must not wait for it
    from perfkit.cli._sources import Source
    from perfkit.io.redact import Pseudonyms
    from perfkit.model.diagnosis import Diagnosis
    from perfkit.model.run import Gap

    _Writer = Callable[[Source, Path, Path, Pseudonyms | None], tuple[Gap, ...]]


KINDS = {
    "--perfetto FILE": "the trace with idle causes, waits, critical path, launch queue, for ui.perfetto.dev",
    "--speedscope FILE": "flame graphs of host waits, threads and streams, for speedscope.app",
    "--csv DIR": "the findings and every table, for spreadsheets",
    "--sarif FILE": "the findings that have a line, for code scanning and editors",
    "--tb-compat FILE": "the trace as TensorBoard's profiler plugin reads it",
    "--copy PATH": "the run or the trace itself; with --redact for other people",
}
"""What can be written, in the order of `--list`."""


def _list(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if not value:
        return
    width = max(map(len, KINDS))
    for option, what in KINDS.items():
        click.echo(f"{option:{width}}  {what}")
    ctx.exit()


@click.command()
@click.argument(
    "source",
    metavar="RUN_OR_TRACE",
    type=click.Path(path_type=Path),
    shell_complete=run_names,
)
@export_options
@click.option(
    "--speedscope",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write flame graphs of host waits, threads and streams for speedscope.app.",
)
@click.option(
    "--csv",
    "tables",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The findings and every table as CSV.",
)
@click.option(
    "--sarif",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The findings that have a line, for code scanning and editors.",
)
@click.option(
    "--copy",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The run (a new folder), or the trace (a file), itself; for --redact.",
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="Show what can be written.",
)
def command(
    source: Path,
    redact: bool,
    tables: Path | None,
    copy: Path | None,
    sarif: Path | None,
    **files: Path | None,
) -> None:
    """Write RUN_OR_TRACE for other tools: Perfetto, speedscope, spreadsheets, TensorBoard.

    It is a run directory, its name under profiles/, or any trace of torch.profiler. With --redact
    everything that is written can be shared: the same private file or name is the same pseudonym in
    all of it.

    \b
    Examples:
      perfkit export ctr-found --speedscope ctr.speedscope.json
      perfkit export ctr-found --csv tables --sarif findings.sarif
      perfkit export trace.json.gz --perfetto overlay.json.gz
      perfkit export ctr-found --copy shared --redact
    """
    asked = {name: path for name, path in files.items() if path is not None}
    if not (asked or tables or sarif or copy):
        names = [option.split()[0] for option in KINDS]
        raise click.UsageError(f"say what to write: {', '.join(names)} (perfkit export --list)")
    for target in (*asked.values(), sarif):
        if target is not None and target.is_dir():
            raise PerfkitError(f"{target} is a folder", f"name a file: {target / 'trace.json.gz'}")
    found = one_source(source)
    given = _names(redact)
    needs_trace = bool(asked or (copy and found.directory))
    with _shareable(found, given, needs_trace) as trace:
        if copy is not None:
            _copy(found, trace, copy, given)
        for name, target in asked.items():
            _tell(target, _WRITERS[name](found, trace, target, given))
    if tables is not None or sarif is not None:
        _conclusions(_diagnosis(found, given), tables, sarif)


def _conclusions(diagnosis: Diagnosis, tables: Path | None, sarif: Path | None) -> None:
    """What stands on the diagnosis alone."""
    if tables is not None:
        from perfkit.exports.csv_tables import csv_tables

        click.echo(f"{len(csv_tables(diagnosis, tables))} tables in {tables}")
    if sarif is not None:
        from perfkit.base.files import write_text
        from perfkit.cli._sarif import sarif_text

        write_text(sarif, sarif_text(diagnosis))
        click.echo(f"{sarif}")


def _names(redact: bool) -> Pseudonyms | None:
    if not redact:
        return None
    from perfkit.io.redact import Pseudonyms

    return Pseudonyms()


@contextmanager
def _shareable(found: Source, names: Pseudonyms | None, needs_trace: bool) -> Iterator[Path]:
    """The trace to export: the original, or a redacted copy for as long as it is needed."""
    if names is None or found.trace is None:
        yield found.trace or Path()
        return
    from perfkit.io.redact import redact_run, redact_trace
    from perfkit.io.rundir import load

    if found.directory is not None:
        redact_run(load(found.directory), names)  # teaches whole paths, a trace has only their ends
    if not needs_trace:
        yield found.trace
        return
    with tempfile.TemporaryDirectory(prefix="perfkit-export-") as folder:
        target = Path(folder) / "trace.json.gz"
        redact_trace(found.trace, target, names)
        yield target


def _perfetto(
    found: Source, trace: Path, target: Path, names: Pseudonyms | None
) -> tuple[Gap, ...]:
    from perfkit.cli._overlay import overlay
    from perfkit.exports.perfetto import perfetto
    from perfkit.io.chrome import read_trace

    del names
    found.require_trace()
    events = read_trace(trace)
    return (*events.gaps, *perfetto(trace, events, target, *overlay(events)))


def _tb_compat(
    found: Source, trace: Path, target: Path, names: Pseudonyms | None
) -> tuple[Gap, ...]:
    from perfkit.io.tb_compat import tb_compatible

    del names
    found.require_trace()
    return tuple(tb_compatible(trace, target))


def _speedscope(
    found: Source, trace: Path, target: Path, names: Pseudonyms | None
) -> tuple[Gap, ...]:
    """A run without a trace still has its waits."""
    from perfkit.analysis.sync_points import sync_points
    from perfkit.analysis.trace_run import trace_run
    from perfkit.base.errors import NotObservable
    from perfkit.exports.speedscope import speedscope
    from perfkit.io.chrome import read_trace
    from perfkit.io.redact import redact_run
    from perfkit.io.rundir import load

    events = None if found.trace is None else read_trace(trace)
    if found.directory is not None:
        run = load(found.directory)
        run = run if names is None else redact_run(run, names)
    else:
        assert events is not None
        run = trace_run(events, trace.name.split(".")[0])
    try:
        points = sync_points(run)
    except NotObservable as reason:
        if events is None:
            raise PerfkitError(
                f"{run.name} has neither a trace nor sync points: {reason}",
                "record it with perfkit profile SCRIPT",
            ) from reason
        points = ()
    gaps = () if events is None else events.gaps
    return (*gaps, *speedscope(run.name, events, points, target))


_WRITERS: Mapping[str, _Writer] = {
    "perfetto": _perfetto,
    "speedscope": _speedscope,
    "tb_compat": _tb_compat,
}


def _diagnosis(found: Source, names: Pseudonyms | None) -> Diagnosis:
    if found.directory is not None:
        from perfkit.cli.report import read

        diagnosis = read(found.directory)
    else:
        from perfkit.analysis.trace_run import trace_run
        from perfkit.io.chrome import read_trace
        from perfkit.rules import diagnose

        trace = found.require_trace()
        diagnosis = diagnose(trace_run(read_trace(trace), trace.name.split(".")[0]))
    if names is None:
        return diagnosis
    from perfkit.io.redact import redact_diagnosis

    return redact_diagnosis(diagnosis, names)


def _copy(found: Source, trace: Path, target: Path, names: Pseudonyms | None) -> None:
    """The trace as a file, or the run as a new folder."""
    if found.directory is not None:
        from perfkit.cli._copied_run import copy_run

        copy_run(found.directory, None if found.trace is None else trace, target, names)
    elif target.is_dir():
        raise PerfkitError(f"{target} is a folder", f"name a file: {target / 'trace.json.gz'}")
    elif names is not None:
        from perfkit.io.redact import redact_trace

        redact_trace(found.require_trace(), target, names)
    else:
        from perfkit.base.files import replacing

        with replacing(target) as temporary:
            shutil.copyfile(trace, temporary)
    _tell(target, ())


def _tell(target: Path, gaps: Iterable[Gap]) -> None:
    click.echo(f"{target}")
    for gap in gaps:
        click.echo(f"note: {gap.what}: {gap.why}", err=True)
