"""When a device had nothing to do inside the steps, and why.

Idle is what no stream of the device covers: the union over streams, not their sum. Gaps inside a
CUDA graph are not idle, since nobody has to launch anything there. Each stretch of idle time, a
*bubble*, ends with a piece of work; its launch tells the cause:

- from its launch on the device itself waited: for a `collective` (the work before was
  communication), for another `stream` (the work before ran on another one, or nothing of this
  process explains a long wait), or it was `handover` from one queued kernel to the next. Work of
  unknown launch counts as queued where the bubble is short;
- until its launch the host was late, and that time is split by what the host did in it (up to 20 µs
  from launch to start belong to the launch):
  `sync` (the host had waited until the device ran dry: the first part of the bubble, as long as the
  wait at most, and all further waiting), `launching`, `aten`, `python`, `loading`, `other`.

So the causes of all bubbles sum to the idle time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.host_time import HostTime
from perfkit.analysis.spans import union
from perfkit.analysis.sync_waits import WaitCost
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.model.events import UNKNOWN, Events, Ints
from perfkit.model.table import Column, Table

CAUSES = (
    "sync", "loading", "python", "aten", "launching", "other", "collective", "stream", "handover",
)  # fmt: skip
_HANDOVER_NS = 20_000
CAUSE_COLUMNS = (
    Column("device"),
    Column("cause"),
    Column("idle_ns", "ns"),
    Column("bubbles"),
    Column("longest_ns", "ns"),
    Column("share", "ratio"),
)


@dataclass(frozen=True)
class DeviceIdle:
    """The bubbles of one device, in order.

    Attributes:
        start, end: ns.
        split: a row per bubble, a column per entry of CAUSES, ns; a row sums to its bubble.
        launch: row of the call that ended the bubble, UNKNOWN if none was recorded.
        wait: index into the waits given, of the wait that drained the device; UNKNOWN if none.
        step_ns: length of all steps together.
    """

    device: int
    start: Ints
    end: Ints
    split: npt.NDArray[np.int64]
    launch: Ints
    wait: Ints
    step_ns: int

    @property
    def cause(self) -> Ints:
        """For each bubble the index in CAUSES of its largest part."""
        result: Ints = np.argmax(self.split, axis=1)
        return result

    @property
    def total_ns(self) -> int:
        return int((self.end - self.start).sum())

    def by_cause(self) -> dict[str, int]:
        """Idle ns by cause, the causes that occur, largest first."""
        sums = dict(zip(CAUSES, self.split.sum(axis=0).tolist(), strict=True))
        return {name: ns for name, ns in sorted(sums.items(), key=lambda s: -s[1]) if ns}

    def self_check(self) -> None:
        """Raise AssertionError unless the parts of each bubble sum to it."""
        assert bool((self.split >= 0).all())
        assert bool((self.split.sum(axis=1) == self.end - self.start).all())


def device_idle(
    events: Events,
    steps: TraceSteps,
    work: DeviceWork,
    host: HostTime,
    waits: tuple[WaitCost, ...],
) -> tuple[DeviceIdle, ...]:
    """The idle time of each device inside the steps, the busiest device first."""
    return tuple(_idle(events, steps, work.of(d), d, host, waits) for d in work.devices)


def _idle(
    events: Events,
    steps: TraceSteps,
    work: DeviceWork,
    device: int,
    host: HostTime,
    waits: tuple[WaitCost, ...],
) -> DeviceIdle:
    windows = union(steps.starts, steps.ends)
    bubbles = windows - work.busy - work.graph_gaps
    start, end = bubbles.start, bubbles.end
    following = np.searchsorted(work.start, end)
    known = following < len(work)
    following = np.minimum(following, max(len(work) - 1, 0))
    launch = np.where(known, work.launch[following], UNKNOWN)
    late_until = _late_until(events, launch, start, end)
    wait, drained = _drained(waits, device, start)
    part = np.minimum(late_until - start, drained)
    split = np.zeros((len(start), len(CAUSES)), np.int64)
    for name, spent in host.parts(start + part, late_until).items():
        split[:, CAUSES.index("sync" if name == "sync_wait" else name)] += spent
    split[:, CAUSES.index("sync")] += part
    _device_side(split, work, following, end - late_until)
    return DeviceIdle(
        device=device,
        start=start,
        end=end,
        split=split,
        launch=launch,
        wait=np.where(part == 0, UNKNOWN, wait),
        step_ns=windows.total,
    )


def _late_until(events: Events, launch: Ints, start: Ints, end: Ints) -> Ints:
    """Until when the host was late with the work that ends each bubble."""
    short = end - start <= _HANDOVER_NS
    launched = np.where(
        launch != UNKNOWN, np.clip(events.end[launch], start, end), np.where(short, start, end)
    )
    # The way from a launch to the device takes some time that no queue explains.
    soon = (launched > start) & (end - launched <= _HANDOVER_NS)
    return np.where(soon, end, launched)


def _drained(waits: tuple[WaitCost, ...], device: int, at: Ints) -> tuple[Ints, Ints]:
    """The wait for it that was on when the device ran dry, and how long; waits of a late host not."""
    indices = [i for i, cost in enumerate(waits) if cost.device_ran and cost.device == device]
    if not indices:
        return np.full(len(at), UNKNOWN, np.int64), np.zeros(len(at), np.int64)
    indices.sort(key=lambda i: waits[i].wait.start_ns)
    start, end, blocked = (
        np.array([getattr(waits[i].wait, name) for i in indices], np.int64)
        for name in ("begin_ns", "end_ns", "blocked_ns")
    )
    found = np.searchsorted(start, at, side="right") - 1
    inside = (found >= 0) & (at <= end[np.maximum(found, 0)])
    return (
        np.where(inside, np.array(indices, np.int64)[found], UNKNOWN),
        np.where(inside, blocked[found], 0),
    )


def _device_side(
    split: npt.NDArray[np.int64], work: DeviceWork, following: Ints, length: Ints
) -> None:
    """Charge the time in which the work was queued and did not start."""
    rows = np.flatnonzero(length > 0)
    if not len(rows):
        return
    following, length = following[rows], length[rows]
    before = np.maximum(following - 1, 0)
    elsewhere = work.stream[before] != work.stream[following]
    stalled = elsewhere | (length > _HANDOVER_NS)
    column = np.where(stalled, CAUSES.index("stream"), CAUSES.index("handover"))
    column = np.where(work.is_comm[before] & elsewhere, CAUSES.index("collective"), column)
    split[rows, column] += length


def idle_causes_table(idle: Iterable[DeviceIdle]) -> Table:
    """Idle time by device and cause; `bubbles` counts those whose largest part it is."""
    rows = []
    for device in idle:
        counts = np.bincount(device.cause, minlength=len(CAUSES))
        for name, ns in device.by_cause().items():
            column = CAUSES.index(name)
            longest = int(device.split[:, column].max())
            share = ns / device.step_ns
            rows.append((device.device, name, ns, int(counts[column]), longest, share))
    return Table(CAUSE_COLUMNS, tuple(rows))
