"""Every core is busy with something else while the GPU has nothing to do.

What it does
    Looks at the samples in bare and light steps: it speaks up where the cores that the process may use
    were at least 95 % busy, at least half of them with something other than the process itself (its
    DataLoader workers, other programs), and NVML saw the GPU work in at most 70 % of the time.

Why it hurts
    The thread that launches kernels needs a core at once. Where workers hold them all, it waits for its
    turn, and the GPU waits for it.

How the saving is estimated
    It is not: how much of the idle time would go depends on what else the host waits for. The idle time
    of the trace is the bound.

When not to act
    When the workers' output is what the step waits for: then fewer workers make it worse, and cheaper
    preprocessing or more cores are the remedy.
"""

from __future__ import annotations

import numpy as np

from perfkit.analysis.device_samples import MEASURED, host, inside, values
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.model.samples import Samples
from perfkit.rules._engine import Looked
from perfkit.rules._sampled import sampled_devices

_BUSY = 0.95
_OTHERS = 0.5
_IDLE = 0.7
_READINGS = 3

FIX = (
    "Leave the launching process a core: fewer DataLoader workers than cores, one thread in each "
    "(torch.set_num_threads(1)), nothing else on the machine; or cheaper preprocessing"
)


def cpu_starved(run: Run) -> Looked:
    """At most one finding, about the machine.

    Raises:
        NotApplicable: no device was sampled.
        NotObservable: the cores or the GPU were not sampled in a step.
    """
    gpus = sampled_devices(run)
    machine = host(run.samples)
    if machine is None:
        raise NotObservable("the host was not sampled")
    busy, others, allowed = _load(machine, run)
    working = [_mean(each, "sm_utilisation", run) for each in gpus]
    known = [each for each in working if each is not None]
    if not known:
        raise NotObservable("the GPU's utilisation was not sampled in a step")
    at = f"cores {units.share(busy)} busy, GPU working {units.share(max(known))} of the time (NVML)"
    if busy < _BUSY or others < _OTHERS * allowed or max(known) > _IDLE:
        return Looked(at)
    return Looked(at, (_finding(machine, run, others, allowed, max(known)),))


def _load(machine: Samples, run: Run) -> tuple[float, float, float]:
    """Share of the allowed cores that was busy, how many of them with others, and how many there are."""
    own = _mean(machine, "process_cpu", run)
    allowed = float(machine.identity["cores allowed"])
    if "core quota" in machine.identity:  # what other containers do is no part of it
        workers = _mean(machine, "workers_cpu", run, least=1)
        if own is None or workers is None:
            raise NotObservable("the process and its workers were not sampled in a step")
        return (own + workers) / allowed, workers, allowed
    busy = _mean(machine, "cpu_busy", run)
    if busy is None or own is None:
        raise NotObservable(f"fewer than {_READINGS} samples of the cores fell into a step")
    return busy, max(0.0, busy * allowed - own), allowed


def _finding(machine: Samples, run: Run, others: float, allowed: float, working: float) -> Finding:
    workers = _mean(machine, "workers_cpu", run, least=1)
    count = _mean(machine, "workers", run, least=1)
    whose = "others"
    if workers is not None and workers > others / 2:
        whose = f"its {units.count(round(count or 0))} worker processes"
    return Finding(
        title=(
            f"All {allowed:g} cores are busy, {others:.1f} of them with {whose}, while the GPU works "
            f"{units.share(working)} of the time"
        ),
        evidence={
            "cores": allowed,
            "cores_of_others": others,
            "cores_of_workers": workers,
            "workers": count,
            "gpu_utilisation": working,
        },
        fix=FIX,
        confidence="likely",
    )


def _mean(samples: Samples, quantity: str, run: Run, least: int = _READINGS) -> float | None:
    """Over the measured steps; None with too few values."""
    some = values(samples, quantity)[inside(samples.time, run.steps, MEASURED)]
    some = some[~np.isnan(some)]
    return float(some.mean()) if len(some) >= least else None
