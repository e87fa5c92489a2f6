"""Checkpoints compute activations a second time although they might fit.

What it does
    Adds up the operators that `torch.utils.checkpoint` runs again in the backward: live, those that
    run there with gradients switched on below its frames; in a trace with Python frames, the device
    work launched inside of them. It speaks up from 3 % of the step's work, unless the device's memory
    is known and what they do not keep would not fit into its free part.

Why it hurts
    A model that is checkpointed throughout runs its forward twice: about a third more work per step.
    Checkpoints often stay when the batch shrinks, the device grows or attention stops keeping scores.

How the saving is estimated
    All of the time that is computed again, as measured on the device, else the floors of these
    operators on the device that the report speaks of: half, 80 and 100 % of it where memory for it is
    known to be free, nothing, half and all where that is not known. Whether it is free is told by what
    the operators write, which is more than is kept.

When not to act
    Where the memory pays for a larger batch. Checkpoint every second block then, or only those that
    keep most per unit of work.
"""

from __future__ import annotations

from perfkit.analysis.peak_memory import PeakMemory, peak_memory
from perfkit.analysis.recomputation import Recomputation, recomputation, step_ns
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run
from perfkit.rules._engine import Looked

_SHARE = 0.03
_ROOM = 0.9
_FITS = (0.5, 0.8, 1.0)
_UNKNOWN = (0.0, 0.5, 1.0)

FIX = (
    "Take the checkpoints away where the activations fit, or keep them for some of the blocks only "
    "(perfkit.rewrites.checkpointed_block.blocks_within picks them by a budget)"
)


def recompute_cost(run: Run) -> Looked:
    """At most one finding, about all checkpoints of the step.

    Raises:
        NotApplicable: nothing is computed a second time, as far as anybody looked.
        NotObservable: there is nothing to tell the time of it.
    """
    found = recomputation(run)
    at = f"{units.ns(found.ns)} per step are computed a second time, {units.share(found.share)} of it"
    fits = _fits(run, found)
    if found.share < _SHARE:
        return Looked(at)
    if fits is False:
        return Looked(f"{at}; without checkpoints the step would not fit the device's memory")
    return Looked(at, (_finding(run, found, fits),))


def _finding(run: Run, found: Recomputation, fits: bool | None) -> Finding:
    shares = _FITS if fits else _UNKNOWN
    limit = step_ns(run, found)
    low, likely, high = (round(min(found.ns, limit) * share) for share in shares)
    how = "measured time" if found.measured else f"floors on {found.device}"
    room = "memory is free for it" if fits else "whether it fits is not known"
    where = f", most in {found.module}" if found.module else ""
    return Finding(
        title=(
            f"Checkpoints compute {units.ns(found.ns)} per step a second time, "
            f"{units.share(found.share)} of its work{where}"
        ),
        place=found.place,
        evidence={
            "recomputed_ns": round(found.ns),
            "work_ns": round(found.work_ns),
            "share": found.share,
            "operators": found.operators,
            "written_bytes": found.written,
            "module": found.module,
        },
        saving=Saving(low, likely, high, f"{how} of what is computed again; {room}"),
        fix=FIX,
        rewrite="checkpointed_block",
        confidence="likely" if fits and found.measured else "low",
    )


def _fits(run: Run, found: Recomputation) -> bool | None:
    """Whether what is computed again would fit beside the peak; None where that is not known."""
    try:
        peak: PeakMemory = peak_memory(run)
    except (NotApplicable, NotObservable):
        return None
    if peak.capacity is None or found.written is None:
        return None
    return peak.step.peak_bytes + found.written <= _ROOM * peak.capacity
