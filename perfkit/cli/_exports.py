"""What `perfkit analyze` writes besides the page: tables, tracks for Perfetto, redacted copies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfkit.base.errors import PerfkitError
from perfkit.base.files import write_text

if TYPE_CHECKING:  # numpy comes with these, and `perfkit --help` must not wait for it
    from collections.abc import Iterable

    from perfkit.model.diagnosis import Diagnosis
    from perfkit.model.events import Events
    from perfkit.model.run import Gap


def write_folder(diagnosis: Diagnosis, folder: Path) -> None:
    """`diagnosis.json` and every table as CSV.

    Raises:
        PerfkitError: the folder cannot be written.
    """
    from perfkit.exports.csv_tables import csv_tables

    write_text(folder / "diagnosis.json", json.dumps(diagnosis.to_json(), indent=1) + "\n")
    csv_tables(diagnosis, folder / "tables")


def write_tb_compat(source: str, target: Path) -> None:
    """The trace as TensorBoard's profiler plugin reads it."""
    from perfkit.io.tb_compat import tb_compatible

    _tell(tb_compatible(Path(source), target))


def write_perfetto(source: str, events: Events, target: Path) -> None:
    """The trace with the tracks of `perfkit export --perfetto`."""
    from perfkit.cli._overlay import overlay
    from perfkit.exports.perfetto import perfetto

    _tell(perfetto(source, events, target, *overlay(events)))


def redacted(diagnosis: Diagnosis, source: str | None, folder: Path | None) -> Diagnosis:
    """The diagnosis for sharing, and the trace beside it where there is one trace and a folder."""
    from perfkit.io.redact import Pseudonyms, redact_diagnosis, redact_trace

    names = Pseudonyms()
    shared = redact_diagnosis(diagnosis, names)
    if source is not None and folder is not None:
        _tell(redact_trace(source, folder / "redacted.pt.trace.json.gz", names))
    return shared


def single(sources: list[str], option: str) -> str:
    """The only trace named.

    Raises:
        PerfkitError: there are several.
    """
    if len(sources) > 1:
        raise PerfkitError(f"{option} writes one trace", "name a single TRACE with it")
    return sources[0]


def _tell(gaps: Iterable[Gap]) -> None:
    for gap in gaps:
        click.echo(f"note: {gap.what}: {gap.why}", err=True)
