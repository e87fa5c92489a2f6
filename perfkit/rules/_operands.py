"""What rules about operands share: who looked at them, what moving bytes costs, places of findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from perfkit.analysis.roofline import layers_together
from perfkit.analysis.step_floor import StepFloor
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Saving
from perfkit.model.operands import Aspect, Operands
from perfkit.model.run import Run

_DEVICE = {"compute", "memory"}
SHARE = 0.05
"""Share of the step from which a finding is worth its line."""


def operands(run: Run, *aspects: Aspect) -> tuple[Operands, ...]:
    """What was seen of these aspects; empty where somebody looked and saw none.

    Raises:
        NotApplicable: no step was costed.
        NotObservable: nobody looked.
    """
    if run.operands is not None:
        return tuple(row for row in run.operands if row.aspect in aspects)
    if run.source == "trace":
        raise NotObservable(
            "a trace tells shapes, but not which tensors these were nor what they held"
        )
    if not run.costed_steps:
        raise NotApplicable("the operators of no step were recorded")
    raise NotObservable("operands were not looked at when this run was recorded")


def by_place(rows: Iterable[Operands]) -> list[list[Operands]]:
    """Rows of one line together; without a line those of one module, repeated layers together."""
    groups: dict[tuple[str, int], list[Operands]] = defaultdict(list)
    for row in rows:
        where = (row.place.file, row.place.line) if row.place else (module_of(row) or "", 0)
        groups[where].append(row)
    return list(groups.values())


def module_of(row: Operands) -> str | None:
    """`Model.layers.*.attention`."""
    return layers_together(row.module) if row.module else None


def copies_saving(nbytes: float, launches: float, floor: StepFloor) -> Saving | None:
    """What leaving out copies gains; None where the device's bandwidth is not known.

    The device gains their bytes at its bandwidth, the host their launches. The step gains what limits
    it: likely is the host's part in a step bound by launches, else the device's, the smaller of the two
    where both limit it; low is the smaller in any case, high the larger.
    """
    bandwidth, launch = floor.peaks.bandwidth, floor.peaks.launch_ns
    if bandwidth is None:
        return None
    device = nbytes / bandwidth.value * 1e9
    host = launches * launch.value if launch is not None else 0.0
    low, high = sorted((device, host))
    by_host = "overhead" in floor.bound
    by_device = bool(_DEVICE & set(floor.bound)) or not by_host
    likely = low if by_host and by_device else host if by_host else device
    method = "bytes at the device's bandwidth, or launches, whichever limits the step"
    return Saving(round(low), round(likely), round(high), method)


def device_saving(
    gain_ns: float, shares: tuple[float, float, float], method: str, floor: StepFloor
) -> Saving:
    """Shares of device time; at low nothing where launches or waits alone limit the step."""
    low, likely, high = (round(gain_ns * share) for share in shares)
    device_limits = not floor.bound or bool(_DEVICE & set(floor.bound))
    return Saving(low if device_limits else 0, likely, high, method)
