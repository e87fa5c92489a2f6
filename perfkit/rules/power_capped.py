"""The GPU ran into its power limit and lowered its clocks for it.

What it does
    Reads NVML's clock event reasons at every sample that falls into a bare or light step, and speaks
    up where at least a tenth of them (and three of them) name the power cap and the SM clock was at
    least 3 % lower then.

Why it hurts
    Large matrix products draw more than the board may. The device then runs below its boost clock,
    and peak FLOP/s from a data sheet cannot be reached.

How the saving is estimated
    The share of samples under the cap, times how far the SM clock fell below its median without (below
    the highest the device has, where it always was). A step limited by arithmetic gains all of it, one
    limited by memory or the host nothing; half is called likely.

When not to act
    When the limit is the board's own and the device is well fed: then this is what a busy GPU looks
    like. Fewer bits per number, or less work, also draw less.
"""

from __future__ import annotations

from functools import partial

from perfkit.analysis.device_samples import POWER_CAP, HeldBack, held_back
from perfkit.base import units
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules._engine import Looked
from perfkit.rules._sampled import clock, evidence, saving, slowdowns

_SHARE = 0.1
_SAMPLES = 3
_LOWER = 0.97

FIX = (
    "Compare the limit with the board's own (nvidia-smi -q -d POWER) and raise it where somebody "
    "lowered it; judge peaks by the clock that was measured"
)


def power_capped(run: Run) -> Looked:
    """At most one finding per device.

    Raises:
        NotObservable: no device told why its clocks are what they are.
    """

    def judge(held: HeldBack) -> Finding | None:
        if held.flagged < _SAMPLES or held.share < _SHARE:
            return None
        if held.clock is None or held.free is None or held.clock > _LOWER * held.free:
            return None
        return Finding(
            title=(
                f"GPU {held.subject.removeprefix('device ')} was at its power limit in "
                f"{units.share(held.share)} of the samples, at {clock(held.clock)} instead of "
                f"{clock(held.free)}"
            ),
            evidence=evidence(held),
            saving=saving(run, held),
            fix=FIX,
            confidence="certain",
        )

    return slowdowns(run, partial(held_back, bits=POWER_CAP), judge)
