"""Launches of the host, and the queue of work they build up in front of the device.

A launch is a runtime or driver call whose correlation appears on a device; a call that starts many
kernels is a graph launch and counts once. `delay` is from the end of the call to the start of its
(first) work; it is negative where work starts before its call returns, and it is not clipped. The
queue holds what was launched and has not started: long means that the host runs ahead, empty that
the device waits for it. Over time it is the queue of all devices together; whether a call blocked is
told by its own device's: CUDA lets about 1,024 launches pend per device, a call made then blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.base.errors import NotObservable
from perfkit.model.events import UNKNOWN, Events, Ints
from perfkit.model.table import Column, Table

FULL = 1_024
SHORT_NS = 10_000
_POINTS = 600
COLUMNS = (
    Column("step"),
    Column("launches"),
    Column("graph_launches"),
    Column("kernels"),
    Column("short_kernels"),
    Column("short_share", "ratio"),
    Column("delay_median_ns", "ns"),
    Column("queue_mean"),
    Column("queue_max"),
    Column("queue_empty_share", "ratio"),
    Column("blocked_full_ns", "ns"),
)


@dataclass(frozen=True)
class Launches:
    """Launch calls in order of their start, ns.

    Attributes:
        start, end: of the call; work_start: of the first work it launched.
        count: pieces of work it launched.
        pending: how many launches were waiting for its device when it began.
        at, length: the queue over time: its length from each moment on.
    """

    start: Ints
    end: Ints
    work_start: Ints
    count: Ints
    pending: Ints
    at: Ints
    length: Ints

    @property
    def delay(self) -> Ints:
        return self.work_start - self.end

    def self_check(self) -> None:
        """Raise AssertionError when the queue goes below zero or does not end empty."""
        assert bool((self.length >= 0).all())
        assert not len(self.length) or int(self.length[-1]) == 0


@dataclass(frozen=True)
class StepLaunches:
    """The launches and kernels of one step; the columns of `launch_queue_table`."""

    step: int
    launches: int
    graph_launches: int
    kernels: int
    short_kernels: int
    short_share: float | None
    delay_median_ns: int | None
    queue_mean: float
    queue_max: int
    queue_empty_share: float
    blocked_full_ns: int


def launches(events: Events, work: DeviceWork) -> Launches:
    """Every launch of a trace.

    Raises:
        NotObservable: no device work has a recorded launch.
    """
    known = work.launch != UNKNOWN
    if not known.any():
        raise NotObservable("the trace joins no launch with work on a device")
    call, first, count = np.unique(work.launch[known], return_index=True, return_counts=True)
    start = events.start[call]
    begun = np.maximum(work.start[known][first], start)  # clocks of host and device may differ
    edges = np.r_[start, begun]
    change = np.r_[np.ones(len(start), np.int64), np.full(len(begun), -1, np.int64)]
    order = np.lexsort((-change, edges))
    at, length = edges[order], np.cumsum(change[order])
    final = np.r_[at[1:] != at[:-1], True]
    at, length = at[final], length[final]
    return Launches(
        start=start,
        end=events.end[call],
        work_start=work.start[known][first],
        count=count.astype(np.int64),
        pending=_pending(start, begun, work.device[known][first]),
        at=at,
        length=length,
    )


def _pending(start: Ints, begun: Ints, device: Ints) -> Ints:
    """Launches for the same device that were made before each and had not begun by then."""
    pending = np.zeros(len(start), np.int64)
    for number in np.unique(device).tolist():
        mine = device == number
        at = start[mine]
        pending[mine] = np.searchsorted(at, at) - np.searchsorted(np.sort(begun[mine]), at)
    return pending


def step_launches(found: Launches, steps: TraceSteps, work: DeviceWork) -> tuple[StepLaunches, ...]:
    """Per step: launches that begin in it, kernels that begin in it, the queue meanwhile."""
    kernels = ~work.is_copy
    start, length = work.start[kernels], (work.end - work.start)[kernels]
    return tuple(
        _step(found, start, length, window.number, window.start_ns, window.end_ns)
        for window in steps.windows
    )


def _step(
    found: Launches, kernels: Ints, lengths: Ints, number: int, low: int, high: int
) -> StepLaunches:
    first, last = np.searchsorted(found.start, (low, high))
    inside, last_kernel = np.searchsorted(kernels, (low, high))
    ran = lengths[inside:last_kernel]
    short = ran[ran < SHORT_NS]
    blocked = found.pending[first:last] >= FULL
    spent = (found.end - found.start)[first:last]
    mean, most, empty = _queue(found, low, high)
    return StepLaunches(
        step=number,
        launches=int(last - first),
        graph_launches=int((found.count[first:last] > 1).sum()),
        kernels=len(ran),
        short_kernels=len(short),
        short_share=int(short.sum()) / int(ran.sum()) if ran.sum() else None,
        delay_median_ns=round(float(np.median(found.delay[first:last]))) if last > first else None,
        queue_mean=mean,
        queue_max=most,
        queue_empty_share=empty,
        blocked_full_ns=int(spent[blocked].sum()),
    )


def _queue(found: Launches, low: int, high: int) -> tuple[float, int, float]:
    """Mean over time, maximum and share of time empty, of the queue in one window."""
    first = max(int(np.searchsorted(found.at, low, side="right")) - 1, 0)
    last = int(np.searchsorted(found.at, high))
    edges = np.clip(np.r_[found.at[first:last], high], low, high)
    length, width = found.length[first:last], np.diff(edges)
    if not len(length):
        return 0.0, 0, 1.0
    total = high - low
    covered = int(width.sum())
    empty = int(width[length == 0].sum()) + total - covered
    most = int(length[width > 0].max()) if (width > 0).any() else 0
    return float((length * width).sum()) / total, most, empty / total


def launch_queue_table(rows: tuple[StepLaunches, ...]) -> Table:
    """One row per step."""
    names = [column.name for column in COLUMNS]
    return Table(COLUMNS, tuple(tuple(getattr(row, name) for name in names) for row in rows))


def queue_over_time_table(found: Launches, steps: TraceSteps) -> Table:
    """The largest queue in each of some hundred equal stretches between first and last step."""
    columns = (Column("time_ns", "ns"), Column("queue"))
    if not steps.windows:
        return Table(columns, ())
    low, high = int(steps.starts[0]), int(steps.ends[-1])
    edges = np.linspace(low, high, _POINTS + 1).astype(np.int64)
    index = np.searchsorted(found.at, edges, side="right") - 1
    rows = []
    for i in range(_POINTS):
        stretch = found.length[max(int(index[i]), 0) : int(index[i + 1]) + 1]
        rows.append((int(edges[i]) - low, int(stretch.max()) if len(stretch) else 0))
    return Table(columns, tuple(rows))
