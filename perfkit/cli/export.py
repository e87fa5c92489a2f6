"""`perfkit export`: a run or a trace for other tools, and for other people."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfkit.base.errors import PerfkitError
from perfkit.cli._options import export_options
from perfkit.cli._sources import one_source

if TYPE_CHECKING:  # numpy comes with these, and `perfkit --help` must not wait for it
    from perfkit.cli._sources import Source
    from perfkit.io.redact import Pseudonyms
    from perfkit.model.diagnosis import Diagnosis
    from perfkit.model.run import Gap


@click.command()
@click.argument("source", metavar="RUN_OR_TRACE", type=click.Path(path_type=Path))
@export_options
@click.option(
    "--csv",
    "tables",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The findings and every table as CSV.",
)
@click.option(
    "--copy",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The run (a new folder), or the trace (a file), itself; for --redact.",
)
def command(
    source: Path,
    perfetto: Path | None,
    tables: Path | None,
    tb_compat: Path | None,
    copy: Path | None,
    redact: bool,
) -> None:
    """Write RUN_OR_TRACE for other tools: ui.perfetto.dev, spreadsheets, TensorBoard.

    It is a run directory, or any trace of torch.profiler. With --redact everything that is written
    can be shared: the same private file or name is the same pseudonym in all of it.
    """
    if not (perfetto or tables or tb_compat or copy):
        raise click.UsageError("say what to write: --perfetto, --csv, --tb-compat or --copy")
    found = one_source(source)
    names = _names(redact)
    needs_trace = bool(perfetto or tb_compat or (copy and found.directory))
    with _shareable(found, names, needs_trace) as trace:
        for target in (perfetto, tb_compat):
            if target is not None and target.is_dir():
                raise PerfkitError(
                    f"{target} is a folder", f"name a file: {target / 'trace.json.gz'}"
                )
        if copy is not None:
            _copy(found, trace, copy, names)
        if perfetto is not None:
            found.require_trace()
            _tell(perfetto, _perfetto(trace, perfetto))
        if tb_compat is not None:
            from perfkit.io.tb_compat import tb_compatible

            found.require_trace()
            _tell(tb_compat, tb_compatible(trace, tb_compat))
        if tables is not None:
            from perfkit.exports.csv_tables import csv_tables

            written = csv_tables(_diagnosis(found, names), tables)
            click.echo(f"{len(written)} tables in {tables}")


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


def _perfetto(trace: Path, target: Path) -> tuple[Gap, ...]:
    from perfkit.cli._overlay import overlay
    from perfkit.exports.perfetto import perfetto
    from perfkit.io.chrome import read_trace

    events = read_trace(trace)
    return (*events.gaps, *perfetto(trace, events, target, *overlay(events)))


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
