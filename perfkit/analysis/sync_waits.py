"""The two costs of a sync in a trace: how long the host waited, and how long the device then idled.

For each waiting call (see `io.trace_syncs`), on the device it waited for (`_wait_devices`):

    waited_ns   duration of the runtime call
    idle_ns     from the moment the device had nothing left, but not before the wait began, until its
                next work started; None where no work follows, or where the process uses several
                devices and the trace does not tell which one was waited for
    lost_ns     the part of `idle_ns` that removing the wait can win: the host would be ahead by
                `waited_ns` at most

and per site one verdict over its calls:

    CPU-bound    the device was idle already when most of the operators around the waits began: the
                 host was late, the wait is not to blame
    bubble       the device ran dry because of the wait: idle is at least a quarter of the waiting
    queue drain  the host waited for a busy device that had work again soon: nearly free
    unknown      no idle time is known of any of them
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from perfkit.analysis._wait_devices import wait_devices
from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.io.trace_syncs import Wait, one_sync, trace_waits
from perfkit.model.events import UNKNOWN, Events, Ints
from perfkit.model.syncs import Frame, Sync
from perfkit.model.table import Column, Table

Blame = Literal["CPU-bound", "bubble", "queue drain", "unknown"]

_BUBBLE = 0.25
COLUMNS = (
    Column("op"),
    Column("kind"),
    Column("call"),
    Column("file"),
    Column("line"),
    Column("function"),
    Column("direction"),
    Column("calls"),
    Column("per_step", "per step"),
    Column("waited_ns", "ns"),
    Column("idle_ns", "ns"),
    Column("lost_ns", "ns"),
    Column("verdict"),
    Column("device"),
)


@dataclass(frozen=True)
class WaitCost:
    """One wait with its costs.

    Attributes:
        step: index of the step in which it began; UNKNOWN outside.
        device_ran: whether the device was busy, or had work queued, when the operator around the
            wait began.
        idle_ns, lost_ns: see the module.
        device: which one was waited for; UNKNOWN where the trace does not tell.
    """

    wait: Wait
    step: int
    device_ran: bool
    idle_ns: int | None
    device: int = UNKNOWN

    @property
    def lost_ns(self) -> int | None:
        return None if self.idle_ns is None else min(self.idle_ns, self.wait.blocked_ns)

    def self_check(self) -> None:
        """Raise AssertionError when a part exceeds its whole."""
        assert self.wait.blocked_ns >= 0
        if self.idle_ns is not None:
            assert 0 <= (self.lost_ns or 0) <= self.idle_ns


def sync_waits(events: Events, steps: TraceSteps, work: DeviceWork) -> tuple[WaitCost, ...]:
    """Every wait of the program in a trace, in order; the profiler's own are left out."""
    waits = trace_waits(events)
    if not waits:
        return ()
    begin, start, end = (
        np.array([getattr(wait, name) for wait in waits], np.int64)
        for name in ("begin_ns", "start_ns", "end_ns")
    )
    device = wait_devices(events, waits, work)
    idle, ran = np.full(len(waits), UNKNOWN, np.int64), np.zeros(len(waits), np.bool_)
    for number in work.devices:
        mine, own = np.flatnonzero(device == number), work.of(number)
        idle[mine] = _idle_after(own, start[mine], end[mine])
        ran[mine] = own.busy.contains(begin[mine]) | (_pending(events, own, begin[mine]) > 0)
    step = steps.index_of(start)
    return tuple(
        WaitCost(
            wait=wait,
            step=int(step[i]),
            device_ran=bool(ran[i]),
            idle_ns=None if idle[i] == UNKNOWN else int(idle[i]),
            device=int(device[i]),
        )
        for i, wait in enumerate(waits)
    )


def _pending(events: Events, work: DeviceWork, at: Ints) -> Ints:
    """Pieces of work launched before each moment that had not started by then."""
    launch = work.launch[work.launch != UNKNOWN]
    begun = work.start[work.launch != UNKNOWN]
    launched = np.sort(events.end[launch])
    result: Ints = np.searchsorted(launched, at) - np.searchsorted(begun, at)
    return result


def _idle_after(work: DeviceWork, start: Ints, end: Ints) -> Ints:
    """Idle time of the device after each wait, UNKNOWN where no work follows it."""
    reach = np.maximum.accumulate(work.end)
    following = np.searchsorted(work.start, end)
    last = np.where(following > 0, reach[np.maximum(following - 1, 0)], start)
    next_start = work.start[np.minimum(following, len(work) - 1)]
    idle = np.maximum(next_start - np.maximum(last, start), 0)
    return np.where(following < len(work), idle, UNKNOWN)


def blame(costs: Iterable[WaitCost]) -> Blame:
    """The verdict over the waits of one site."""
    costs = list(costs)
    known = [cost for cost in costs if cost.idle_ns is not None]
    if not known:
        return "unknown"
    if 2 * sum(not cost.device_ran for cost in costs) > len(costs):
        return "CPU-bound"
    idle = sum(cost.idle_ns or 0 for cost in known)
    waited = sum(cost.wait.blocked_ns for cost in known)
    return "bubble" if idle >= _BUBBLE * waited else "queue drain"


def sync_records(costs: Iterable[WaitCost], steps: TraceSteps) -> tuple[Sync, ...]:
    """The waits as evidence: grouped by cause, place and step, with the index of the step."""
    groups: dict[tuple[object, ...], list[WaitCost]] = defaultdict(list)
    for cost in costs:
        wait = cost.wait
        key = (wait.op, wait.kind, wait.direction, wait.phase, wait.stack, cost.step)
        groups[key].append(cost)
    return tuple(_record(group) for group in groups.values())


def _record(group: list[WaitCost]) -> Sync:
    idle = [cost.idle_ns for cost in group if cost.idle_ns is not None]
    lost = [cost.lost_ns for cost in group if cost.lost_ns is not None]
    return replace(
        one_sync([cost.wait for cost in group]),
        step=None if group[0].step == UNKNOWN else group[0].step,
        idle_ns=sum(idle) if idle else None,
        lost_ns=sum(lost) if lost else None,
    )


def sync_waits_table(costs: Iterable[WaitCost], steps: int) -> Table:
    """Sites and devices by what they cost, lost time first, then waiting; times are totals."""
    groups: dict[tuple[object, ...], list[WaitCost]] = defaultdict(list)
    for cost in costs:
        key = (*_site(cost.wait), cost.device)
        groups[key].append(cost)
    ranked = sorted(groups.values(), key=_cost, reverse=True)
    return Table(COLUMNS, tuple(_row(group, steps) for group in ranked))


def _site(wait: Wait) -> tuple[object, ...]:
    place: Frame | None = wait.stack[0] if wait.stack else None
    return wait.op, wait.kind, wait.call, wait.direction, place


def _cost(group: list[WaitCost]) -> tuple[int, int]:
    return (
        sum(cost.lost_ns or 0 for cost in group),
        sum(cost.wait.blocked_ns for cost in group),
    )


def _row(group: list[WaitCost], steps: int) -> tuple[str | int | float | None, ...]:
    wait = group[0].wait
    place = wait.stack[0] if wait.stack else None
    idle = [cost.idle_ns for cost in group if cost.idle_ns is not None]
    in_steps = sum(cost.wait.count for cost in group if cost.step != UNKNOWN)
    return (
        wait.op,
        wait.kind,
        wait.call,
        place.file if place else None,
        place.line if place else None,
        place.function if place else None,
        wait.direction,
        sum(cost.wait.count for cost in group),
        in_steps / steps if steps else None,
        sum(cost.wait.blocked_ns for cost in group),
        sum(idle) if idle else None,
        sum(cost.lost_ns or 0 for cost in group) if idle else None,
        blame(group),
        None if group[0].device == UNKNOWN else group[0].device,
    )
