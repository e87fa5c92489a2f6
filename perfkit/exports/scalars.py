"""Numbers of a run over its steps, for TensorBoard's own tabs (Time Series, Scalars).

    perfkit/step_time_ms          a step with only a clock around it (bare)
    perfkit/step_time_pretend_ms  the same where a CPU only pretended to be a CUDA device
    perfkit/step_time_traced_ms   a step under Kineto (light)
    perfkit/syncs                 host-device synchronisations of a step that was watched (deep)
    perfkit/blocking_copies       blocking copies of such a step
    perfkit/launches              operators dispatched per deep step: their mean, at the last one
    perfkit/device_busy/device_0  share of a traced step in which the device ran anything
    perfkit/nvml/device_0         what NVML called utilisation in a step; its window is up to 1 s

The step is the step's index in the run. What was not observed has no point: never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from perfkit.base.files import replacing
from perfkit.exports._event_file import Scalar, event_file
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run, Step
from perfkit.model.samples import Samples
from perfkit.rules._places import COPY_KINDS

FILE = "events.out.tfevents.perfkit"
"""TensorBoard reads every file with `tfevents` in its name."""

_MS = 1e6
_S = 1e9


def write_scalars(folder: Path, run: Run, diagnosis: Diagnosis) -> Path | None:
    """Write the event file of a run into `folder`; None, and no file, where there is no number.

    Raises:
        PerfkitError: the folder cannot be written.
    """
    found = scalars(run, diagnosis)
    if not found:
        return None
    with replacing(folder / FILE) as temporary:
        temporary.write_bytes(event_file(found))
    return folder / FILE


def scalars(run: Run, diagnosis: Diagnosis) -> tuple[Scalar, ...]:
    """All numbers, by tag and then by step."""
    offset_ns = _wall_offset_ns(run)
    return tuple(
        Scalar(f"perfkit/{tag}", step.index, (step.end_ns + offset_ns) / _S, value)
        for tag, step, value in _numbers(run, diagnosis)
        if math.isfinite(value)
    )


def _numbers(run: Run, diagnosis: Diagnosis) -> Iterator[tuple[str, Step, float]]:
    bare = "step_time_pretend_ms" if run.device == "pretend-cuda" else "step_time_ms"
    for step in run.steps_measured("bare"):
        yield bare, step, step.duration_ns / _MS
    for step in run.steps_measured("light"):
        yield "step_time_traced_ms", step, step.duration_ns / _MS
    yield from _waits(run)
    deep = run.steps_measured("deep")
    if deep and run.launches_per_step is not None:
        yield "launches", deep[-1], run.launches_per_step
    yield from _busy(run, diagnosis)
    for samples in run.samples:
        yield from _nvml(run, samples)


def _waits(run: Run) -> Iterator[tuple[str, Step, float]]:
    """A deep step without a sync counts as 0: it was watched."""
    deep = run.steps_measured("deep")
    if any(gap.what == "the synchronisation points" for gap in run.gaps):
        return
    counts = {(step.index, copies): 0 for copies in (False, True) for step in deep}
    for sync in run.syncs:
        key = sync.step, sync.direction == "h2d" or sync.kind in COPY_KINDS
        if sync.step is not None and key in counts:
            counts[sync.step, key[1]] += sync.count
    for tag, copies in (("syncs", False), ("blocking_copies", True)):
        for step in deep:
            yield tag, step, counts[step.index, copies]


def _busy(run: Run, diagnosis: Diagnosis) -> Iterator[tuple[str, Step, float]]:
    """From the breakdown of the traced steps, whose rows are numbered as in the trace."""
    table = diagnosis.tables.get("step_breakdown")
    light = run.steps_measured("light")
    idle: dict[str, dict[int, float]] = {}
    for row in table.records() if table else ():
        if row["part"] == "idle" and isinstance(row["share"], float | int):
            idle.setdefault(str(row["side"]), {})[int(row["step"] or 0)] = row["share"]
    for side, shares in sorted(idle.items()):
        if len(shares) == len(light):
            for step, (_, share) in zip(light, sorted(shares.items()), strict=True):
                yield f"device_busy/{_name(side)}", step, 1 - share


def _nvml(run: Run, samples: Samples) -> Iterator[tuple[str, Step, float]]:
    series = samples.series.get("sm_utilisation")
    if series is None:
        return
    for step in run.steps:
        inside = (samples.time >= step.start_ns) & (samples.time < step.end_ns)
        values = [value for value in series.values[inside].tolist() if not math.isnan(value)]
        if values:
            yield f"nvml/{_name(samples.subject)}", step, sum(values) / len(values)


def _name(subject: str) -> str:
    return subject.replace(" ", "_")


def _wall_offset_ns(run: Run) -> int:
    """Wall clock minus monotonic clock: as the sampler read it, else told from when the run was saved."""
    if run.samples:
        return run.samples[0].wall_offset_ns
    if run.directory is None or not run.steps:
        return 0
    saved_ns = (run.directory / "run.json").stat().st_mtime_ns
    return saved_ns - run.steps[-1].end_ns
