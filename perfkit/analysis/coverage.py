"""What a verdict stands on: which steps, on which device, and everything that was not looked at."""

from __future__ import annotations

from perfkit.analysis.operators import device_time_attributed
from perfkit.analysis.roofline_tables import ops_with_costs
from perfkit.analysis.steps import basis, step_times
from perfkit.analysis.sync_points import unfinished_syncs
from perfkit.base import units
from perfkit.model.diagnosis import Coverage
from perfkit.model.run import Run

_SETTING = {
    "cuda": "CUDA device",
    "pretend-cuda": "pretend CUDA on this CPU",
    "cpu": "CPU program, read as if moved to CUDA",
}
_NAMED = 5
_MEASURED = ("bare", "light", "deep")


def coverage(run: Run) -> Coverage:
    """The coverage of a run; unknown shares are None."""
    measured = sum(t.count for t in step_times(run) if t.instrument in _MEASURED)
    return Coverage(
        steps=measured,
        basis=_basis(run),
        device_time_attributed=device_time_attributed(run),
        ops_with_costs=ops_with_costs(run.costs),
        overhead=dict(run.overhead),
        gaps=(*_recorded(run), *_missing(run)),
    )


def _basis(run: Run) -> str:
    if run.source == "trace":
        count = len(run.steps)
        where = run.env.get("GPU", "a GPU" if run.device == "cuda" else "a CPU")
        noun = f"{count} step{'' if count == 1 else 's'}"
        return f"trace of {where}; {noun}; step: {run.step_marker}"
    if run.source == "monitor":
        return f"samples of a process from outside: {max(map(len, run.samples), default=0)} moments"
    return f"{_SETTING[run.device]}; {basis(run)}; step: {run.step_marker}"


def _recorded(run: Run) -> tuple[str, ...]:
    return tuple(f"{gap.what}: {gap.why}" for gap in run.gaps)


def _missing(run: Run) -> tuple[str, ...]:
    if run.source == "trace":
        return _missing_in_trace(run)
    if run.source == "monitor":
        return ("steps, operators and synchronisations: seen only by perfkit profile",)
    found = []
    if run.device != "cuda":
        unseen = "device time, GPU idle and roofline"
        if run.costs:
            unseen = "device time and GPU idle"
        found.append(f"GPU: {unseen} were not looked at (no CUDA device was used)")
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
    return (*found, *_without_costs(run))


def _without_costs(run: Run) -> tuple[str, ...]:
    """Operators that no total of FLOPs, bytes or floors contains."""
    unknown = [cost for cost in run.costs if cost.flops is None]
    if not unknown:
        return ()
    calls: dict[str, int] = {}
    for cost in unknown:
        calls[cost.op] = calls.get(cost.op, 0) + cost.calls
    most = sorted(calls, key=lambda op: -calls[op])[:_NAMED]
    share = sum(calls.values()) / sum(cost.calls for cost in run.costs)
    more = f" and {len(calls) - _NAMED} more" if len(calls) > _NAMED else ""
    return (
        f"FLOPs and bytes: unknown for {units.share(share)} of operator calls "
        f"({', '.join(most)}{more}); totals are of the others",
    )


def _missing_in_trace(run: Run) -> tuple[str, ...]:
    """What a foreign trace cannot tell, besides the gaps that were found on reading it."""
    found = ["overhead: what the profiler itself cost is unknown; step times contain it"]
    for times in step_times(run):
        if times.warning:
            found.append(f"{times.instrument} steps: {times.warning}")
    return (*found, *_without_costs(run))
