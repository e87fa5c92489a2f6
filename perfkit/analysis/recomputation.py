"""What checkpoints compute a second time, in the backward: from the costed step, or from a trace.

In the costed step an operator is recomputed where it runs in a backward with gradients switched on
below a frame of `torch.utils.checkpoint`; its time is its measured device time where every such
operator has one, else its roofline floor. In a trace it is the device work launched inside frames of
that file on threads where autograd runs, without the backward operators that a reentrant checkpoint
nests in the same frames.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from perfkit.analysis._enclosing import innermost
from perfkit.analysis.roofline import Floor
from perfkit.analysis.run_floors import run_floors
from perfkit.analysis.steps import typical_step
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.io.trace_frames import PYTHON
from perfkit.model.events import UNKNOWN, Events
from perfkit.model.run import Run
from perfkit.model.syncs import Frame

_FILE = "torch/utils/checkpoint.py("
_AGAIN = ("recompute_fn", "unpack_hook", "backward")
_BACKWARD = "autograd::engine::evaluate_function"


@dataclass(frozen=True)
class Recomputation:
    """What is computed again.

    Attributes:
        ns: its time per step; work_ns: the time of all work of a step, counted the same way.
        operators: how many per step; None where not counted.
        written: bytes that it writes per step, which is what the checkpoints do not keep; None unknown.
        module: the module with most of it; place: its line.
        measured: whether times were measured, or are floors.
        device: what the floors are of; empty where measured.
    """

    ns: float
    work_ns: float
    operators: float | None = None
    written: int | None = None
    module: str | None = None
    place: Frame | None = None
    measured: bool = False
    device: str = ""

    @property
    def share(self) -> float:
        return self.ns / self.work_ns if self.work_ns else 0.0


def recomputation(run: Run) -> Recomputation:
    """What is computed again in a step.

    Raises:
        NotApplicable: nothing is, or neither a step was costed nor a trace names Python frames.
        NotObservable: no device's peaks are known to give it a time.
    """
    if any(row.recomputed for row in run.costs):
        return _costed(run)
    if run.source == "trace" and isinstance(run.events, Events):
        return _traced(run.events)
    if not run.costed_steps:
        raise NotApplicable("no step was costed")
    raise NotApplicable("no checkpoint computes anything a second time")


def _costed(run: Run) -> Recomputation:
    floor = run_floors(run).first
    again = [row for row in floor.rows if row.cost.recomputed]
    measured = all(row.cost.device_ns is not None for row in floor.rows)
    by_line: defaultdict[tuple[str | None, Frame | None], float] = defaultdict(float)
    for row in again:
        by_line[row.cost.module, row.cost.place] += _time(row, measured)
    module, place = max(by_line, key=lambda key: by_line[key])
    return Recomputation(
        ns=sum(by_line.values()) / floor.steps,
        work_ns=sum(_time(row, measured) for row in floor.rows) / floor.steps,
        operators=sum(row.cost.calls for row in again) / floor.steps,
        written=round(sum(row.cost.written or 0 for row in again) / floor.steps),
        module=module,
        place=place,
        measured=measured,
        device="" if measured else floor.peaks.device,
    )


def _time(row: Floor, measured: bool) -> float:
    return float(row.cost.device_ns or 0) if measured else row.ns or 0.0


def _traced(events: Events) -> Recomputation:
    named = [n for n in events.names if _FILE in n and n.rsplit(": ", 1)[-1] in _AGAIN]
    frames = events.named(named) & events.of(PYTHON)
    if not frames.any():
        raise NotApplicable("the trace names no frame of a checkpoint that computes again")
    reading = trace_reading(events)
    work, steps = reading.work, max(1, len(reading.steps.windows))
    anchor = np.where(work.launch != UNKNOWN, work.launch, reading.owner)
    known = anchor != UNKNOWN
    if not known.any():
        raise NotObservable("the trace holds no device work with its launches")
    time, thread = events.start[anchor[known]], events.tid[anchor[known]]
    again = innermost(events, frames, time, thread)
    engine = events.named(name for name in events.names if name.startswith(_BACKWARD))
    nested = innermost(events, engine, time, thread)
    # inside the frame, and no node of the graph has begun since
    inside = (again != UNKNOWN) & (
        (nested == UNKNOWN) | (events.start[nested] < events.start[again])
    )
    ns = (work.end - work.start)[known]
    return Recomputation(
        ns=float(ns[inside].sum()) / steps,
        work_ns=float((work.end - work.start).sum()) / steps,
        operators=float(inside.sum()) / steps,
        measured=True,
    )


def step_ns(run: Run, found: Recomputation) -> float:
    """A step's time on the device that `found` is of, ns.

    Raises:
        NotObservable: no step was timed.
    """
    return float(typical_step(run).median_ns) if found.measured else run_floors(run).first.step_ns
