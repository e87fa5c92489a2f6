"""The GPU worked at a clock below its highest though nothing held it back.

What it does
    Looks at the samples in bare and light steps at which NVML saw the GPU at least half busy and named
    neither heat nor hardware nor power: it speaks up where the SM clock was below 90 % of the highest
    the device has in at least half of them (and in three).

Why it hurts
    Somebody has locked the clocks (nvidia-smi -lgc, -ac), or a power-saving mode keeps them down:
    everything that computes takes longer by that much, and peak figures do not hold.

How the saving is estimated
    The share of those samples, times how far the clock was below the highest. A step limited by
    arithmetic gains all of it, one limited by memory or the host nothing; half is called likely.

When not to act
    When clocks were locked on purpose, for steady measurements: then compare only runs at that clock.
"""

from __future__ import annotations

from perfkit.analysis.device_samples import HeldBack, low_clocks
from perfkit.base import units
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules._engine import Looked
from perfkit.rules._sampled import clock, evidence, saving, slowdowns

_SHARE = 0.5
_SAMPLES = 3

FIX = "Look for locked clocks (nvidia-smi -q -d CLOCK) and undo them: nvidia-smi -rgc, nvidia-smi -rac"


def low_clock(run: Run) -> Looked:
    """At most one finding per device.

    Raises:
        NotApplicable: no device was sampled.
        NotObservable: no device told its clocks while it worked.
    """

    def judge(low: HeldBack) -> Finding | None:
        if low.flagged < _SAMPLES or low.share < _SHARE or not low.clock or not low.free:
            return None
        why = ", ".join(low.reasons) or "NVML gives no reason"
        return Finding(
            title=(
                f"GPU {low.subject.removeprefix('device ')} worked at {clock(low.clock)} of "
                f"{clock(low.free)} in {units.share(low.share)} of the samples ({why})"
            ),
            evidence=evidence(low),
            saving=saving(run, low),
            fix=FIX,
            confidence="likely",
        )

    return slowdowns(run, low_clocks, judge)
