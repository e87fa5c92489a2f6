"""What every capture ends with: a diagnosis beside the run, and a page."""

from __future__ import annotations

from pathlib import Path

from perfkit.base.files import write_text
from perfkit.io.rundir import save_diagnosis
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run


def conclude(run: Run, report: Path | None) -> Diagnosis:
    """Judge a saved run; write `diagnosis.json` into its directory and the page to `report`.

    Raises:
        PerfkitError: one of them cannot be written.
    """
    from perfkit.rules import diagnose

    diagnosis = diagnose(run)
    if run.directory is not None:
        save_diagnosis(run.directory, diagnosis)
    if report is not None:
        from perfkit.report.html import render

        write_text(report, render(diagnosis))
    return diagnosis
