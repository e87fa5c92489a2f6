"""How long a step would take on another device: a range from floors, launches and waits.

Per step, in ns, from the operators' costs, their number and the waits:

- device: what the kernels take. At least each operator's roofline. Where its kernels were measured
  on a device whose roofline is known, it is taken to come as near to the new roofline as it came to
  that one (without a cost: its time changes as the bandwidths do); else as near as `REACHED` says. No
  kernel is shorter than `KERNEL_NS`.
- host: preparing and launching them. At least `LAUNCH_NS` each; likely and at worst `HOST_OP_NS`.
- waits: the model of `sync_costs`.

low is the larger of device and host: perfect overlap, no wait. likely is the larger of the two with
the likely waits. high is all three one after another, each at its worst.

What the constants stand on, public traces of TraceLens's tests (H100, MI300X, B200; eager):

- products bound by arithmetic took 1 / 0.62, 1 / 0.29 and 1 / 0.18 of their floor, and 1 / 0.59 in a
  second model on the H100; operators bound by memory 1 / 0.58, 1 / 0.53, 1 / 0.19 and 1 / 0.26;
- kernels with next to nothing to do took 0.9 to 1.5 µs (tenth percentile), 1.7 to 4.4 (median) and
  2.7 to 5.6 (ninetieth).

The only check is not independent: one model (Qwen1.5 0.5B) was traced on two of them, and `CALIBRATION`
says how far the likely device time was off when one was predicted from the other; but these two are
among the four traces that the constants were chosen from. The steps of neither, nor any prediction
from a CPU, have been compared with a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfkit.analysis._sheets import HOST_OP_NS, LAUNCH_NS
from perfkit.analysis.roofline import Floor, floor
from perfkit.analysis.sync_costs import cost
from perfkit.analysis.sync_points import sync_points
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.costs import OpCost
from perfkit.model.peaks import Peaks
from perfkit.model.run import Run
from perfkit.model.table import Cell, Column, Table

Range = tuple[float, float, float]
"""Low, likely, high."""

REACHED = {"compute": (1.0, 0.6, 0.15), "memory": (1.0, 0.5, 0.2), "nothing": (1.0, 1.0, 1.0)}
"""Share of the roofline a kernel reaches: at best, likely, at worst."""
KERNEL_NS = (0, 2_000, 5_000)
"""The least one kernel takes."""
CARRIED = 2.5
"""The worst case of a time carried over from another device, as a multiple of the likely one."""
CALIBRATION = (
    "an estimate, not calibrated on a GPU yet: in the one check against traces (not independent: its "
    "constants were chosen from them, among others), the likely device time was 0.70 of the measured "
    "one from H100 to MI300X and 1.41 of it back"
)


@dataclass(frozen=True)
class StepWork:
    """What one program does per step, wherever it runs.

    Attributes:
        costs: of the operators of all `steps` together.
        launches: operators or kernels launched per step; None where not counted.
        waits_ns: what the waits of a step cost; None where nobody looked for them.
        here: peaks of the device that `OpCost.device_ns` was measured on; None where it was not.
        tf32: the program lets tensor cores round its float32 products.
    """

    costs: Sequence[OpCost]
    steps: int = 1
    launches: float | None = None
    waits_ns: Range | None = None
    here: Peaks | None = None
    tf32: bool = False


@dataclass(frozen=True)
class Prediction:
    """One step on `peaks.device`, in ns, each part low, likely and high.

    Attributes:
        floor_ns: the sum of the rooflines alone.
        host, waits: None where not known; the step is then without them.
        calls, known: operator calls per step, and those with a roofline.
        carried: share of the likely device time that was carried over from measured kernels.
    """

    peaks: Peaks
    floor_ns: float
    device: Range
    host: Range | None
    waits: Range | None
    calls: float
    known: float
    carried: float

    @property
    def step(self) -> Range:
        """The predicted step."""
        host = self.host or (0.0, 0.0, 0.0)
        waits = self.waits or (0.0, 0.0, 0.0)
        low = max(self.device[0], host[0])
        likely = max(self.device[1], host[1]) + waits[1]
        return low, likely, self.device[2] + host[2] + waits[2]

    @property
    def caveats(self) -> tuple[str, ...]:
        """What the numbers leave out or rest on, for people."""
        found = [CALIBRATION]
        if self.known < self.calls:
            found.append(
                f"{self.calls - self.known:,.0f} of {self.calls:,.0f} operator calls have no known "
                "cost: they count with their measured time, else as the shortest kernel, and may take longer"
            )
        if self.host is None:
            found.append("without launches: they were not counted")
        if self.waits is None:
            found.append("without waits: nobody looked for them")
        if self.peaks.bandwidth is None:
            found.append("without memory traffic: the bandwidth is not known")
        return tuple(found)

    def self_check(self) -> None:
        """Ranges are ordered, and a step is no shorter than any part of it.

        Raises:
            AssertionError: they are not.
        """
        for low, likely, high in (self.device, self.host or (0, 0, 0), self.step):
            assert 0 <= low <= likely <= high, (low, likely, high)
        assert self.step[0] >= self.floor_ns * (1 - 1e-9), self.floor_ns
        assert self.known <= self.calls and 0 <= self.carried <= 1


def step_work(run: Run) -> StepWork:
    """What a run's steps do, as it was counted.

    Raises:
        NotObservable: no step was costed.
    """
    if not run.costs or not run.costed_steps:
        raise NotObservable("FLOPs and bytes of its operators were not recorded")
    try:
        each = [cost(point) for point in sync_points(run)]
    except NotObservable:
        waits = None
    else:
        sums = (sum(getattr(c, name) for c in each) for name in ("low_ns", "likely_ns", "high_ns"))
        low, likely, high = map(float, sums)
        waits = (low, likely, high)
    here = run.peaks if run.device == "cuda" else None
    tf32 = run.env.get("float32 products") in ("high", "medium")
    return StepWork(run.costs, run.costed_steps, run.launches_per_step, waits, here, tf32)


def other_device(work: StepWork, there: Peaks) -> Prediction:
    """The step on the device of `there`."""
    times = [_device(row, work, there) for row in work.costs]
    total = tuple(sum(t.ns[i] for t in times) / work.steps for i in range(3))
    likely = sum(t.ns[1] for t in times)
    carried = sum(t.ns[1] for t in times if t.carried)
    return Prediction(
        peaks=there,
        floor_ns=sum(t.floor.ns or 0.0 for t in times) / work.steps,
        device=(total[0], total[1], total[2]),
        host=_host(work.launches),
        waits=work.waits_ns,
        calls=sum(row.calls for row in work.costs) / work.steps,
        known=sum(t.floor.cost.calls for t in times if t.floor.ns is not None) / work.steps,
        carried=carried / likely if likely else 0.0,
    )


def _host(launches: float | None) -> Range | None:
    if launches is None:
        return None
    return launches * LAUNCH_NS[0], launches * HOST_OP_NS[1], launches * HOST_OP_NS[2]


@dataclass(frozen=True)
class _Time:
    floor: Floor
    ns: Range
    carried: bool = False


def _device(row: OpCost, work: StepWork, there: Peaks) -> _Time:
    """What one row's kernels take, over all its calls."""
    least = floor(row, there, work.tf32)
    if least.bound == "nothing":
        return _Time(least, (0.0, 0.0, 0.0))
    times = _times_as_long(row, work, there, least)
    if times is not None and row.device_ns:
        carried = max(least.ns or 0.0, row.device_ns * times)
        return _Time(least, (least.ns or 0.0, carried, carried * CARRIED), carried=True)
    kernels = row.calls if row.kernels is None else row.kernels
    shortest = (0.0, float(kernels * KERNEL_NS[1]), float(kernels * KERNEL_NS[2]))
    if least.ns is None or least.bound is None:
        return _Time(least, shortest)
    reached = REACHED[least.bound]
    estimated = [
        max(least.ns / share, short) for share, short in zip(reached, shortest, strict=True)
    ]
    return _Time(least, (estimated[0], estimated[1], estimated[2]))


def _times_as_long(row: OpCost, work: StepWork, there: Peaks, least: Floor) -> float | None:
    """How many times as long the row takes there as here; None where that cannot be said."""
    if work.here is None:
        return None
    before = floor(row, work.here, work.tf32).ns
    if least.ns is not None and before:
        return least.ns / before
    if row.flops is None and work.here.bandwidth is not None and there.bandwidth is not None:
        return work.here.bandwidth.value / there.bandwidth.value
    return None


_COLUMNS = (
    Column("device"),
    Column("part"),
    Column("low_ns", "ns"),
    Column("likely_ns", "ns"),
    Column("high_ns", "ns"),
    Column("how"),
)


def other_device_table(*predictions: Prediction) -> Table:
    """Device, host, waits and step of each prediction, with how each came about."""
    return Table(_COLUMNS, tuple(row for each in predictions for row in _rows(each)))


def _rows(found: Prediction) -> list[tuple[Cell, ...]]:
    name = found.peaks.device
    usual = "from the share of the peak that kernels usually reach"
    if found.carried:
        usual = f"{units.share(found.carried)} carried over from measured kernels, the rest {usual}"
    kernels = f"floor {units.ns(found.floor_ns)}; {usual}"
    launches = "3, 10 or 30 µs for each operator, assumed: the host decides, not the device"
    waits = "10 to 20 µs for the call, then up to 200 µs until the device has work again, assumed"
    rows: list[tuple[Cell, ...]] = [(name, "device", *map(round, found.device), kernels)]
    for part, parts, how in (("host", found.host, launches), ("waits", found.waits, waits)):
        cells = (None, None, None) if parts is None else tuple(map(round, parts))
        rows.append((name, part, *cells, how if parts is not None else "not known"))
    rows.append((name, "step", *map(round, found.step), "; ".join(found.caveats)))
    return rows
