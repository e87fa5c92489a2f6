"""A run in a few numbers, for whatever plots or compares many runs."""

from __future__ import annotations

from statistics import median

from perfkit.exports.scalars import scalars
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run


def numbers(run: Run, diagnosis: Diagnosis) -> dict[str, float]:
    """Names as in TensorBoard, `perfkit/step_time_ms` and others, and the median over the steps.

    Beside them the count of findings and, where any is known, the likely saving of the largest one
    (they overlap, so a sum would promise too much). What was not observed is left out: never a zero.
    """
    series: dict[str, list[float]] = {}
    for one in scalars(run, diagnosis):
        series.setdefault(one.tag, []).append(one.value)
    found = {tag: float(median(values)) for tag, values in series.items()}
    findings = [finding for _, finding in diagnosis.findings()]
    if any(outcome.state in ("found", "clear") for outcome in diagnosis.outcomes):
        found["perfkit/findings"] = float(len(findings))
    savings = [each.saving.likely_ns for each in findings if each.saving is not None]
    if savings:
        found["perfkit/largest_saving_ms"] = max(savings) / 1e6
    return found
