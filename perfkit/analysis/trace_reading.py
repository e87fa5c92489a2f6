"""Everything that is read out of one trace, made once: the analyses build on each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from perfkit.analysis.device_idle import DeviceIdle, device_idle
from perfkit.analysis.device_work import DeviceWork, device_work
from perfkit.analysis.host_time import HostTime, host_time
from perfkit.analysis.idle_edges import Edge, idle_edges
from perfkit.analysis.launch_queue import Launches, StepLaunches, launches, step_launches
from perfkit.analysis.step_breakdown import StepParts, step_breakdown
from perfkit.analysis.sync_waits import WaitCost, sync_waits
from perfkit.analysis.trace_graph import TraceGraph, trace_graph
from perfkit.analysis.trace_steps import TraceSteps, trace_steps
from perfkit.base.errors import NotObservable
from perfkit.io.trace_ops import device_owners
from perfkit.model.events import UNKNOWN, Events, Ints


@dataclass(frozen=True)
class TraceReading:
    """The analyses of one trace; `launched` is None where no launch can be joined with its work."""

    events: Events
    steps: TraceSteps
    work: DeviceWork
    owner: Ints
    host: HostTime
    breakdown: tuple[StepParts, ...]
    waits: tuple[WaitCost, ...]
    idle: tuple[DeviceIdle, ...]
    launched: Launches | None
    step_launches: tuple[StepLaunches, ...]

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Idle time by what ended it."""
        return idle_edges(self.events, self.idle, self.waits, self.op_of_launch)

    @cached_property
    def _graph(self) -> TraceGraph | NotObservable:
        try:
            return trace_graph(self.events, self.steps.windows, self.work)
        except NotObservable as reason:
            return reason

    @property
    def graph(self) -> TraceGraph:
        """The dependency graph of typical steps, made when first asked for.

        Raises:
            NotObservable: the trace has no launches with their device work, or too many of them.
        """
        if isinstance(self._graph, NotObservable):
            raise NotObservable(str(self._graph))
        return self._graph

    @property
    def op_of_launch(self) -> dict[int, int]:
        """Row of the operator by the row of the launch call."""
        known = (self.work.launch != UNKNOWN) & (self.owner != UNKNOWN)
        pairs = zip(self.work.launch[known].tolist(), self.owner[known].tolist(), strict=True)
        return dict(pairs)

    def launched_in_no_step(self) -> int:
        """Time of the device work that lies in no step, ns."""
        outside = self.work.busy.total - int(
            self.work.busy.covered(self.steps.starts, self.steps.ends).sum()
        )
        return max(0, outside)

    def self_check(self) -> None:
        """Raise AssertionError when any part does not sum to its whole."""
        self.steps.self_check()
        self.work.busy.self_check()
        self.host.self_check()
        for part in self.breakdown:
            part.self_check()
        for wait in self.waits:
            wait.self_check()
        if self.launched is not None:
            self.launched.self_check()
        for device in self.idle:
            device.self_check()
            name = f"device {device.device}"
            assert device.total_ns == sum(step.sides[name]["idle"] for step in self.breakdown)


@lru_cache(maxsize=1)
def trace_reading(events: Events) -> TraceReading:
    """All analyses of one trace; the last one is remembered, as rules and tables both ask."""
    work = device_work(events)
    steps = trace_steps(events, work)
    host = host_time(events, work)
    waits = sync_waits(events, steps, work)
    _, owner = device_owners(events) if len(work) else ((), np.zeros(0, np.int64))
    launched: Launches | None = None
    try:
        launched = launches(events, work)
    except NotObservable:
        per_step: tuple[StepLaunches, ...] = ()
    else:
        per_step = step_launches(launched, steps, work)
    return TraceReading(
        events=events,
        steps=steps,
        work=work,
        owner=owner,
        host=host,
        breakdown=step_breakdown(steps, work, host),
        waits=waits,
        idle=device_idle(events, steps, work, host, waits),
        launched=launched,
        step_launches=per_step,
    )
