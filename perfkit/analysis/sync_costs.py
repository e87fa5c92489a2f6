"""What one sync costs per step, as a range, and what was measured of it.

The facts the model stands on, per synchronisation:

- The call itself keeps the host 10 to 20 µs: dispatch, the driver's copy or wait, the wake-up.
- While the host waited it queued nothing. If the next launch must first be prepared in Python, the
  device then idles for 50 to 200 µs: the bubble.
- Where the device is the bottleneck anyway, its queue never runs dry and only the call remains.
  Reported gains agree that the range is wide: removing 156 of 192 stream syncs gave 6 % in one
  published training set-up, 88 of 96 gave 1.2 to 1.5x in one MoE layer, and others saw nothing.
- A copy adds bytes / bandwidth: pageable memory moves at about 3 to 12 GB/s over PCIe.

Where a trace shows how long the device idled after the wait, that is used instead: no more can be
won than that idle time, nor (likely) than the wait itself.

So: low is the call only, likely adds the short bubble, high adds the long one. A measured wait
replaces the assumed one: it bounds what removing the sync can give back.
"""

from __future__ import annotations

from dataclasses import dataclass

from perfkit.analysis.steps import typical_step
from perfkit.analysis.sync_points import SyncPoint
from perfkit.base.errors import NotObservable
from perfkit.model.diagnosis import Saving
from perfkit.model.run import Run

CALL_NS = (10_000, 15_000, 20_000)
BUBBLE_NS = (0, 50_000, 200_000)
BANDWIDTH = (12.0, 6.0, 3.0)
"""Bytes per nanosecond (GB/s) of a pageable copy: best, likely, worst."""

ESTIMATED = "estimated from counts: 10-20 µs per call, 50-200 µs of idle device after it"
OBSERVED = "idle time of the device after the wait, of it at most the wait, as the trace shows both"
MEASURED = "measured wait of the host, plus an estimated 50-200 µs of idle device after it"


@dataclass(frozen=True)
class Cost:
    """Host and device time one sync point wastes per step, in ns."""

    low_ns: int
    likely_ns: int
    high_ns: int
    method: str

    def __add__(self, other: Cost) -> Cost:
        methods = dict.fromkeys((*self.method.split("; part "), *other.method.split("; part ")))
        method = "; part ".join(methods)
        return Cost(
            self.low_ns + other.low_ns,
            self.likely_ns + other.likely_ns,
            self.high_ns + other.high_ns,
            method,
        )

    def saving(self, at_most_ns: int | None = None) -> Saving:
        """The same range as a saving per step, never more than the step itself."""
        low, likely, high = self.low_ns, self.likely_ns, self.high_ns
        if at_most_ns is not None:
            low, likely, high = (min(value, at_most_ns) for value in (low, likely, high))
        return Saving(low, likely, high, self.method)


def cost(point: SyncPoint) -> Cost:
    """What this sync point wastes per step."""
    estimated = _estimated(point)
    if point.blocked_ns is None:
        return estimated
    bubble = round(BUBBLE_NS[2] * point.per_step)
    if point.idle_ns is not None and point.lost_ns is not None:
        lost = point.lost_ns
        most = max(lost, min(point.idle_ns, point.blocked_ns + bubble))
        return Cost(min(estimated.low_ns, lost), lost, most, OBSERVED)
    return Cost(
        min(estimated.low_ns, point.blocked_ns),
        min(estimated.likely_ns, point.blocked_ns),
        point.blocked_ns + bubble,
        MEASURED,
    )


def step_limit(run: Run) -> int | None:
    """The bare step in ns where it ran on the device the costs speak of; None elsewhere."""
    if run.device != "cuda":
        return None  # a CPU step says nothing about how long the same step takes on a GPU
    try:
        return typical_step(run).median_ns
    except NotObservable:
        return None


def _estimated(point: SyncPoint) -> Cost:
    moved = point.nbytes or 0
    low, likely, high = (
        round((call + bubble) * point.per_step + moved / speed)
        for call, bubble, speed in zip(CALL_NS, BUBBLE_NS, BANDWIDTH, strict=True)
    )
    if not point.certain:
        low = 0  # it may turn out not to wait at all
    return Cost(low, likely, high, ESTIMATED)
