"""What rules on samples share: the devices, and a device that was held back as a finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perfkit.analysis.device_samples import HeldBack, devices
from perfkit.analysis.steps import typical_step
from perfkit.base import units
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding, Saving
from perfkit.model.run import Run, Step
from perfkit.model.samples import Samples
from perfkit.rules._engine import Looked


def slowdowns(
    run: Run,
    look: Callable[[Samples, Sequence[Step]], HeldBack],
    judge: Callable[[HeldBack], Finding | None],
) -> Looked:
    """One finding per device that `judge` finds held back where `look` looked.

    Raises:
        NotObservable: no device told why its clocks are what they are.
    """
    looked, reasons = [], []
    for samples in sampled_devices(run):
        try:
            looked.append(look(samples, run.steps))
        except NotObservable as error:
            reasons.append(str(error))
    if not looked:
        raise NotObservable("; ".join(reasons))
    count = sum(each.looked for each in looked)
    at = f"{units.count(count)} samples of {len(looked)} device{'' if len(looked) == 1 else 's'}"
    found = [finding for finding in map(judge, looked) if finding is not None]
    return Looked("; ".join([at, *reasons]), tuple(found))


def saving(run: Run, held: HeldBack) -> Saving | None:
    """What full clocks would give: all of it to compute-bound steps, nothing to others."""
    if held.clock is None or not held.free or held.clock >= held.free:
        return None
    try:
        step = typical_step(run).median_ns
    except NotObservable:
        return None
    high = round(step * held.share * (1 - held.clock / held.free))
    method = (
        f"{units.share(held.share)} of the samples at {clock(held.clock)} instead of "
        f"{clock(held.free)}: nothing where memory or the host limits the step, all of it where "
        "arithmetic does, half of it as likely"
    )
    return Saving(0, high // 2, high, method)


def evidence(held: HeldBack) -> dict[str, str | int | float | bool | None]:
    """The numbers behind it."""
    return {
        "device": held.subject,
        "samples": held.looked,
        "share": held.share,
        "held_back_ns": held.spans.total,
        "stretches": len(held.spans),
        "sm_clock_hz": held.clock,
        "sm_clock_free_hz": held.free,
        "reasons": ", ".join(held.reasons),
    }


def clock(hertz: float) -> str:
    """A clock for people."""
    return f"{hertz / 1e6:,.0f} MHz"


def sampled_devices(run: Run) -> tuple[Samples, ...]:
    """The devices that were sampled.

    Raises:
        NotApplicable: the run used none, or nothing was to be sampled.
        NotObservable: it used one that NVML did not show.
    """
    gpus = devices(run.samples)
    if gpus:
        return gpus
    if not run.samples:
        raise NotApplicable("nothing was sampled")
    why = next((gap.why for gap in run.samples[0].unavailable if gap.what == "devices"), None)
    reason = f"no device was sampled: {why or 'NVML shows none'}"
    raise NotObservable(reason) if run.device == "cuda" else NotApplicable(reason)
