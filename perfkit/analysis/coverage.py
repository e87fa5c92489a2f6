"""What a verdict stands on: which steps, on which device, and everything that was not looked at."""

from __future__ import annotations

from perfkit.analysis.operators import device_time_attributed
from perfkit.analysis.steps import basis, step_times
from perfkit.analysis.sync_points import unfinished_syncs
from perfkit.model.diagnosis import Coverage
from perfkit.model.run import Run

_SETTING = {
    "cuda": "CUDA device",
    "pretend-cuda": "pretend CUDA on this CPU",
    "cpu": "CPU program, read as if moved to CUDA",
}
_MEASURED = ("bare", "light", "deep")


def coverage(run: Run) -> Coverage:
    """The coverage of a run; unknown shares are None."""
    measured = sum(t.count for t in step_times(run) if t.instrument in _MEASURED)
    return Coverage(
        steps=measured,
        basis=_basis(run),
        device_time_attributed=device_time_attributed(run),
        overhead=dict(run.overhead),
        gaps=(*_recorded(run), *_missing(run)),
    )


def _basis(run: Run) -> str:
    if run.source == "trace":
        count = len(run.steps)
        where = run.env.get("GPU", "a GPU" if run.device == "cuda" else "a CPU")
        noun = f"{count} step{'' if count == 1 else 's'}"
        return f"trace of {where}; {noun}; step: {run.step_marker}"
    return f"{_SETTING[run.device]}; {basis(run)}; step: {run.step_marker}"


def _recorded(run: Run) -> tuple[str, ...]:
    return tuple(f"{gap.what}: {gap.why}" for gap in run.gaps)


def _missing(run: Run) -> tuple[str, ...]:
    if run.source == "trace":
        return _missing_in_trace(run)
    found = []
    if run.device != "cuda":
        found.append(
            "GPU: device time, GPU idle and roofline were not looked at (no CUDA device was used)"
        )
    if run.device == "cpu":
        found.append(
            "placement: the program kept its tensors on the CPU, so every synchronisation is a "
            "reading of what CUDA would do"
        )
    for instrument, lost in (
        ("bare", "step times carry our own overhead"),
        ("light", "operators were not timed"),
        ("deep", "synchronisations were not watched"),
    ):
        if not any(step.instrument == instrument for step in run.steps):
            found.append(f"{instrument} steps: none was measured, so {lost}")
    for times in step_times(run):
        if times.warning and times.instrument in ("bare", "light"):
            found.append(f"{times.instrument} steps: {times.warning}")
    if run.trace is None:
        found.append("trace: no Kineto trace was written")
    cut = unfinished_syncs(run)
    if cut:
        found.append(f"last step: {cut} synchronisations of a step that did not end were left out")
    return tuple(found)


def _missing_in_trace(run: Run) -> tuple[str, ...]:
    """What a foreign trace cannot tell, besides the gaps that were found on reading it."""
    found = ["overhead: what the profiler itself cost is unknown; step times contain it"]
    for times in step_times(run):
        if times.warning:
            found.append(f"{times.instrument} steps: {times.warning}")
    return tuple(found)
