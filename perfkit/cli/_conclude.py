"""What every capture ends with: a diagnosis beside the run, and a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perfkit.base.files import write_text
from perfkit.exports.scalars import write_scalars
from perfkit.io.rundir import save_diagnosis
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run

if TYPE_CHECKING:
    from perfkit.remedies.sources import ReadSource


def judged(run: Run, folder: Path | None = None) -> Diagnosis:
    """What follows from a saved run, with what to do about it: diffs of files that are still what ran.

    Args:
        folder: where the user types commands; the working directory if None.
    """
    from perfkit.remedies import with_remedies
    from perfkit.rules import diagnose

    return with_remedies(diagnose(run), source_of(run), folder, run)


def source_of(run: Run) -> ReadSource:
    """Reads files that are still what ran."""
    from perfkit.remedies.sources import unchanged_since, unknown

    began = _began(run)
    return unknown("nobody knows when the run began") if began is None else unchanged_since(began)


def _began(run: Run) -> float | None:
    """Seconds since 1970 when the first step began, told from when the run was saved; None unknown."""
    if run.directory is None or not run.steps or run.source != "capture":
        return None
    took_ns = run.steps[-1].end_ns - run.steps[0].start_ns
    return (run.directory / "run.json").stat().st_mtime - took_ns / 1e9


def conclude(run: Run, report: Path | None, folder: Path | None = None) -> Diagnosis:
    """Judge a saved run; write `diagnosis.json` into its directory and the page to `report`.

    Beside the diagnosis goes what TensorBoard's own tabs plot over the steps.

    Args:
        folder: where the user types commands: a program may have gone elsewhere; None for here.

    Raises:
        PerfkitError: one of them cannot be written.
    """
    diagnosis = judged(run, folder)
    if run.directory is not None:
        save_diagnosis(run.directory, diagnosis)
        write_scalars(run.directory, run, diagnosis)
    if report is not None:
        from perfkit.report.html import render

        write_text(report, render(diagnosis))
    return diagnosis
