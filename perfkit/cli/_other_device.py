"""`--for DEVICE`: the step of a recorded run predicted for other devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfkit.base import units
from perfkit.base.errors import NotObservable, PerfkitError

if TYPE_CHECKING:  # numpy comes with these, and `perfkit --help` must not wait for it
    from perfkit.model.diagnosis import Diagnosis
    from perfkit.model.peaks import Peaks
    from perfkit.model.run import Run
    from perfkit.model.table import Cell, Table


def named(devices: Sequence[str]) -> tuple[Peaks, ...]:
    """The figures of the devices asked for.

    Raises:
        PerfkitError: one of them is in no table.
    """
    from perfkit.analysis.peaks import peaks_for

    found = [(name, peaks_for(name)) for name in devices]
    for name, peaks in found:
        if peaks is None:
            raise PerfkitError(
                f"no figures for {name!r}", "perfkit peaks --list names the devices of the table"
            )
    return tuple(peaks for _, peaks in found if peaks is not None)


def recorded(source: Path) -> Run:
    """The run that a directory, or a diagnosis in one, belongs to.

    Raises:
        PerfkitError: there is none.
    """
    from perfkit.io.rundir import load

    directory = source if source.is_dir() else source.parent
    if not (directory / "run.json").is_file():
        raise PerfkitError(
            f"--for needs the run itself, and there is none in {directory}",
            "name a run directory under profiles/",
        )
    return load(directory)


def with_other_devices(diagnosis: Diagnosis, run: Run, devices: Sequence[Peaks]) -> Diagnosis:
    """The diagnosis with a table `other_device`, and with these devices first in what limits the step.

    Raises:
        PerfkitError: the run holds no costs.
    """
    from perfkit.analysis.other_device import other_device, other_device_table, step_work
    from perfkit.rules._limits import limit_fact, limit_tables

    try:
        work = step_work(run)
    except NotObservable as reason:
        raise PerfkitError(
            f"no step can be predicted from {run.name}: {reason}",
            "record it anew: perfkit profile SCRIPT, or a trace with record_shapes=True",
        ) from reason
    table = other_device_table(*(other_device(work, peaks) for peaks in devices))
    limits = limit_tables(run, devices)
    return replace(
        diagnosis,
        facts={**diagnosis.facts, **limit_fact(run, devices)},
        tables={**diagnosis.tables, **limits, "other_device": table},
    )


def show(table: Table) -> None:
    """Each predicted step, then what they rest on, each thing once."""
    steps = [row for row in table.records() if row["part"] == "step"]
    for row in steps:
        low, likely, high = (_ns(row[name]) for name in ("low_ns", "likely_ns", "high_ns"))
        click.echo(f"On {row['device']} a step would take {low} to {high}, likely {likely}.")
    for caveat in dict.fromkeys(each for row in steps for each in str(row["how"]).split("; ")):
        click.echo(f"  - {caveat}")


def _ns(value: Cell) -> str:
    return units.ns(value if isinstance(value, int | float) else None)
