"""The GPU was slowed down by heat or by its hardware while steps were measured.

What it does
    Reads NVML's clock event reasons at every sample that falls into a bare or light step, and speaks
    up where at least 2 % of them (and three of them) name heat, a hardware slowdown or a power brake.

Why it hurts
    A hot GPU lowers its clocks by up to half. Every measurement made then is a measurement of the
    cooling, and comparing two versions of a program across it is worthless.

How the saving is estimated
    The share of samples that were held back, times how far the SM clock fell below its median when
    nothing held it back (below the highest the device has, where it always was). A step limited by
    arithmetic gains all of it, one limited by memory or the host nothing; half is called likely.

When not to act
    When the machine is known to be like that for good (a laptop, a shared chassis): then compare only
    runs of the same temperature.
"""

from __future__ import annotations

from functools import partial

from perfkit.analysis.device_samples import HARDWARE, THERMAL, HeldBack, held_back
from perfkit.base import units
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules._engine import Looked
from perfkit.rules._sampled import evidence, saving, slowdowns

_SHARE = 0.02
_SAMPLES = 3

FIX = (
    "Look at cooling, airflow and power supply (nvidia-smi -q -d PERFORMANCE,TEMPERATURE), and measure "
    "again when it is cool"
)


def throttled(run: Run) -> Looked:
    """At most one finding per device.

    Raises:
        NotObservable: no device told why its clocks are what they are.
    """

    def judge(held: HeldBack) -> Finding | None:
        if held.flagged < _SAMPLES or held.share < _SHARE:
            return None
        return Finding(
            title=(
                f"GPU {held.subject.removeprefix('device ')} was slowed down in "
                f"{units.share(held.share)} of the samples: {', '.join(held.reasons)}"
            ),
            evidence=evidence(held),
            saving=saving(run, held),
            fix=FIX,
            confidence="certain",
        )

    return slowdowns(run, partial(held_back, bits=THERMAL | HARDWARE), judge)
