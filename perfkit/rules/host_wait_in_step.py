"""The host waits for the device inside a step.

What it does
    Lists every line that makes Python wait until the device has finished: reading a value
    (`.item()`, `if tensor:`, `float(loss)`), asking for a data-dependent size (`nonzero`,
    `x[mask]`, `repeat_interleave` without `output_size`), or synchronising outright. Whole-tensor
    copies are judged by `blocking_copies`. Lines that are one problem together, such as an expert
    loop, are judged by its own rule: here they are listed as part of it.

Why it hurts
    The device runs ahead of Python as long as Python only queues work. A wait empties that queue:
    the host stands still until the device is done, then the device stands still until Python has
    prepared the next launch. A loop that waits once per expert, per slot or per pair pays this
    every time round.

How the saving is estimated
    Where a trace shows launches and kernels, the step is replayed from it without the waits of the
    line: the difference is the range. What several lines save together is a replay of its own,
    never a sum. Elsewhere it is per wait 10 to 20 µs for the call, and 50 to 200 µs of idle device
    after it; a measured wait replaces the assumed one. Low is the call alone, because a device that
    never runs dry loses nothing else. It is a range on purpose: published gains lie between nothing
    and 1.5x.

When not to act
    When the device is the bottleneck and its queue stays full, when the value is needed to decide
    what runs next (early stopping, speculative decoding), or when the wait is the one place per
    step where metrics are read.
"""

from __future__ import annotations

from perfkit.analysis.sync_points import SyncPoint, sync_points
from perfkit.base import units
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _claims, _places
from perfkit.rules._engine import Looked
from perfkit.rules._trace_waits import told, trace_evidence


def host_wait_in_step(run: Run) -> Looked:
    """One finding per line that waits, what wastes most first.

    Raises:
        NotObservable: no step was watched.
    """
    waits = [point for point in sync_points(run) if not _places.is_copy(point)]
    lines = _claims.by_line(waits, _claims.parts(run))
    findings = tuple(_finding(points, run, owner) for points, owner in lines)
    return Looked(_places.watched(run), findings)


def _finding(points: list[SyncPoint], run: Run, owner: str | None) -> Finding:
    site = points[0].site
    count = units.count(round(_places.per_step(points), 1))
    times = "once" if count == "1" else f"{count} times"
    evidence = {**_places.evidence(points), **trace_evidence(run, points)}
    if owner:
        evidence[_claims.PART_OF] = owner
    return Finding(
        title=f"The host waits for the device {times} per step{told(evidence)}",
        place=site,
        code=_places.code_at(site),
        evidence=evidence,
        saving=None if owner else _claims.saving(run, points),
        fix=_places.advice(points),
        rewrite=_places.rewrite(points),
        confidence=_places.confidence(points, run),
    )
