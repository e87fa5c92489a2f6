"""The verdict on a process that was only seen from outside: what it used, and where to look next."""

from __future__ import annotations

import numpy as np

from perfkit.analysis.device_samples import devices, host, values
from perfkit.base import units
from perfkit.model.diagnosis import Finding, Verdict
from perfkit.model.run import Run
from perfkit.model.samples import Samples

_FEW_GPUS = 4


def monitored(run: Run, findings: list[Finding]) -> Verdict:
    """From the samples alone: such a run has no steps and no operators."""
    machine = host(run.samples)
    gpus = devices(run.samples)
    used = [text for text in (_process(machine), *map(_gpu, gpus[:_FEW_GPUS])) if text]
    what = f"The process {run.ended}; {'; '.join(used)}." if used else f"The process {run.ended}."
    profile = "perfkit profile SCRIPT shows which lines and operators that is."
    if findings:
        return Verdict(what, f"{findings[0].title}.", f"{findings[0].fix.rstrip('.')}.")
    if not gpus and machine is not None:
        why = next((gap.why for gap in machine.unavailable if gap.what == "devices"), "unknown")
        return Verdict(what, f"No GPU was sampled: {why}.", profile)
    return Verdict(what, "Neither heat, power nor busy cores were seen to hold it back.", profile)


def _process(machine: Samples | None) -> str:
    """What it used of the host."""
    if machine is None:
        return ""
    own, held = (_mean(machine, name) for name in ("process_cpu", "process_rss"))
    if own is None:
        return ""
    allowed = machine.identity.get("cores allowed", "unknown")
    memory = f" and {units.nbytes(held)} of memory" if held is not None else ""
    return f"on average it used {own:.1f} of {allowed} cores{memory}"


def _gpu(gpu: Samples) -> str:
    """How busy NVML saw a device; nothing where it does not tell."""
    share = _mean(gpu, "sm_utilisation")
    if share is None:
        return ""
    number = gpu.subject.removeprefix("device ")
    return f"GPU {number} was busy {units.share(share)} of the time (NVML: some kernel ran)"


def _mean(samples: Samples, quantity: str) -> float | None:
    known = values(samples, quantity)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else None
