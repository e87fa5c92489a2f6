"""The device communicates and computes nothing meanwhile.

What it does
    Adds up the time in which collectives run on a device and no kernel computes. Speaks up from a
    twentieth of the step.

Why it hurts
    Communication that runs beside computation is free; what runs alone makes every step longer, on all
    ranks.

How the saving is estimated
    Nothing, half and all of the exposed time in the trace. A part of it may be waiting for a late rank,
    which one rank's trace cannot tell: late-rank counts that, do not add them.

When not to act
    When nothing is left to compute that does not need the result, and when a late rank is the cause:
    `perfkit analyze` tells, from the traces of all ranks.
"""

from __future__ import annotations

from collections import defaultdict

from perfkit.analysis.communication import communication
from perfkit.analysis.step_breakdown import StepParts
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_SHARE = 0.05
_PART = "exposed_comm"

FIX = (
    "Start collectives as soon as their data is there and overlap them with compute: bucket sizes, "
    "prefetch of shards, async_op=True with a late wait"
)


def exposed_communication(run: Run) -> Looked:
    """At most one finding, for the device that communicates longest on its own.

    Raises:
        NotApplicable: no trace was read, or it holds no communication.
    """
    if not isinstance(run.events, Events) or not trace_reading(run.events).work.is_comm.any():
        raise NotApplicable("no collective was traced on a device")
    steps = trace_reading(run.events).breakdown
    if not steps:
        raise NotApplicable("no step was traced")
    exposed: dict[str, int] = defaultdict(int)
    for step in steps:
        for side, parts in step.sides.items():
            exposed[side] += parts.get(_PART, 0)
    side = max(exposed, key=lambda name: exposed[name])
    whole = sum(step.length_ns for step in steps)
    share = exposed[side] / whole if whole else 0.0
    at = f"{units.share(share)} of {units.ns(whole)} is communication alone"
    return Looked(
        at, (_finding(run.events, side, exposed[side], steps),) if share >= _SHARE else ()
    )


def _finding(events: Events, side: str, exposed_ns: int, steps: tuple[StepParts, ...]) -> Finding:
    per_step = round(exposed_ns / len(steps))
    share = exposed_ns / sum(step.length_ns for step in steps)
    kinds: dict[str, int] = defaultdict(int)
    for each in communication(events, {}).collectives:
        kinds[each.kind] += each.exposed_ns
    most = max(kinds, key=lambda kind: kinds[kind])
    return Finding(
        title=f"{side.capitalize()} communicates {units.share(share)} of the step and computes nothing "
        f"meanwhile, mostly in {most}",
        evidence={"exposed_ns": per_step, "share": share, "collective": most},
        saving=Saving(
            0,
            per_step // 2,
            per_step,
            "none, half and all of the exposed communication in the trace",
        ),
        fix=FIX,
        confidence="likely",
    )
