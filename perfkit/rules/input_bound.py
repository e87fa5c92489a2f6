"""The step waits for its batch: data is loaded in the main process.

What it does
    Adds up how long the host spends in the DataLoader inside the steps. Speaks up from a tenth of the
    step. Where a trace shows a device, `idle_device` judges loading by how long the device idles for
    it, and this rule stays out.

Why it hurts
    What is loaded in the main process is loaded while nothing is launched. Workers prepare the next
    batches meanwhile, and the step only picks them up.

How the saving is estimated
    Nothing, half and all of the time in the loader: workers hide it as far as there are cores, and what
    remains is handing over the batch.

When not to act
    When the host has no core to spare, or when the loader only waits for workers that are too slow
    already: then the work in them has to shrink.
"""

from __future__ import annotations

from perfkit.analysis.step_breakdown import HOST
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.events import Events
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_SHARE = 0.1

FIX = (
    "DataLoader(num_workers=4, persistent_workers=True, prefetch_factor=4, pin_memory=True); then take "
    "decoding and feature work out of the sample function"
)


def input_bound(run: Run) -> Looked:
    """At most one finding, about the step as a whole.

    Raises:
        NotApplicable: no trace was read, it shows a device, or holds no step or loader.
    """
    if not isinstance(run.events, Events):
        raise NotApplicable("no trace was read")
    reading = trace_reading(run.events)
    if reading.idle:
        raise NotApplicable("idle-device judges loading by how long the device waits for it")
    if not reading.breakdown:
        raise NotApplicable("no step was traced")
    loading = sum(step.sides[HOST]["loading"] for step in reading.breakdown)
    if not loading:
        raise NotApplicable("no DataLoader loads in the traced steps")
    whole = sum(step.length_ns for step in reading.breakdown)
    share = loading / whole if whole else 0.0
    at = f"{units.share(share)} of {units.ns(whole)} is spent in the DataLoader"
    steps = len(reading.breakdown)
    return Looked(at, (_finding(round(loading / steps), share),) if share >= _SHARE else ())


def _finding(per_step: int, share: float) -> Finding:
    return Finding(
        title=f"The step waits {units.ns(per_step)} for its batch, {units.share(share)} of it",
        evidence={"loading_ns": per_step, "share": share},
        saving=Saving(0, per_step // 2, per_step, "none, half and all of the time in the loader"),
        fix=FIX,
        confidence="likely",
    )
