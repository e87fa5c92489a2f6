"""The dependency graph of a trace's typical steps, bounded, and what may be predicted from it.

A replay visits every launch of the graph one by one, so a long trace is replayed on some of its
steps: as many neighbours as `most_nodes` allows, chosen so that a step among them takes as long as
the median step. The graph then knows only the events of these steps; `rows_of` translates.

Predictions are withheld, with the reason, where the model does not explain the measurement: when over
a tenth of the path is time for which nothing recorded accounts, or typical delays alone give a step
time that is off by more than a quarter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from perfkit.analysis.critical_path import CriticalPath, critical_path
from perfkit.analysis.dependency_graph import DependencyGraph, dependency_graph
from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.what_if import Edit, Prediction, what_if
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.events import (
    ANNOTATIONS,
    HOST_OPS,
    RUNTIME,
    UNKNOWN,
    Events,
    Ints,
    Mask,
    MemoryChanges,
    StepWindow,
)
from perfkit.model.table import Column, Table

MOST_NODES = 12_000
"""Of several steps together; what-if rows of so large a graph take some 20 ms each."""

MOST_NODES_IN_A_STEP = 100_000
_UNRECORDED = 0.1
_MISFIT = 0.25
_NODES_PER_LAUNCH = 3


@dataclass(frozen=True)
class TraceGraph:
    """The graph of some steps.

    Attributes:
        rows: row in the trace of each of the graph's events.
        steps: those taken, of `of_steps` that the trace has.
    """

    graph: DependencyGraph
    rows: Ints
    steps: tuple[StepWindow, ...]
    of_steps: int
    _known: dict[tuple[Edit, ...], Prediction] = field(default_factory=dict, repr=False)

    def rows_of(self, rows: Iterable[int] | Ints) -> tuple[int, ...]:
        """The graph's rows of rows of the trace; those outside the steps taken are left out."""
        wanted = np.asarray(tuple(rows), np.int64)
        at = np.minimum(np.searchsorted(self.rows, wanted), len(self.rows) - 1)
        return tuple(at[self.rows[at] == wanted].tolist())

    @cached_property
    def path(self) -> CriticalPath:
        return critical_path(self.graph)

    @property
    def visits(self) -> int:
        """Nodes times questions answered so far: what the replays have cost."""
        return len(self.graph.nodes) * len(self._known)

    @cached_property
    def withheld(self) -> str | None:
        """Why nothing is predicted from this trace; None where it is."""
        path, error = self.path, self.graph.calibration.error
        lost = path.by_class["unrecorded"]
        if lost > _UNRECORDED * path.length_ns:
            longest = units.ns(int(path.unrecorded.max()))
            return (
                f"the trace has gaps of {units.ns(lost)} in all, of {units.ns(path.length_ns)}, in "
                "which launched work waits on an idle device and nothing recorded says what for "
                f"(the longest: {longest})"
            )
        if error > _MISFIT:
            return (
                f"the replay of the unchanged step is off by {error:.0%}, so what it says of a "
                "changed one means nothing"
            )
        return None

    def predict(self, edits: Sequence[Edit]) -> Prediction:
        """The time per step after these edits together; asked twice, replayed once.

        Raises:
            NotObservable: predictions are withheld.
        """
        if self.withheld is not None:
            raise NotObservable(self.withheld)
        key = tuple(edits)
        if key not in self._known:
            self._known[key] = what_if(self.graph, key)
        return self._known[key]

    def taken(self) -> str:
        """Which part of the trace this is, for people."""
        steps = self.graph.steps
        if steps == self.of_steps:
            return "the only step" if steps == 1 else f"all {steps} steps"
        return f"{steps} of {self.of_steps} steps"


def trace_graph(
    events: Events,
    steps: Sequence[StepWindow],
    work: DeviceWork,
    most_nodes: int = MOST_NODES,
) -> TraceGraph:
    """The graph of as many typical steps as `most_nodes` allows, at least one.

    Raises:
        NotObservable: no step, nothing launched in it, or a single step too large to replay.
    """
    if not steps:
        raise NotObservable("the trace has no step")
    if not bool((work.launch != UNKNOWN).any()):
        raise NotObservable("no launch of device work is recorded together with that work")
    sizes = _sizes(steps, events, work)
    chosen = _typical(steps, sizes, most_nodes)
    size = int(sizes[chosen].sum())
    if size > max(most_nodes, MOST_NODES_IN_A_STEP):
        raise NotObservable(
            f"a step holds {units.count(size)} launches and calls, too many to replay"
        )
    taken = steps[chosen]
    kept = _kept(events, work, taken[0].start_ns, taken[-1].end_ns)
    rows = np.flatnonzero(kept)
    part = events if len(rows) == len(events) else _part(events, rows)
    graph = dependency_graph(part, _until_host(part, taken))
    return TraceGraph(graph, rows, tuple(taken), len(steps))


def _until_host(events: Events, taken: Sequence[StepWindow]) -> list[StepWindow]:
    """The steps, the last one only until the host was done with it.

    A window may reach to the end of its device work; the host did not work for so long, and time
    in which it did nothing must not hold up a replay.
    """
    last = taken[-1]
    host = events.of((*HOST_OPS, *RUNTIME, *ANNOTATIONS))
    mine = host & (events.start >= taken[0].start_ns) & (events.end <= last.end_ns)
    end = int(events.end[mine].max()) if mine.any() else last.end_ns
    return [*taken[:-1], replace(last, end_ns=max(end, last.start_ns + 1))]


def _sizes(steps: Sequence[StepWindow], events: Events, work: DeviceWork) -> Ints:
    """About how many nodes each step has."""
    launched = np.sort(events.start[work.launch[work.launch != UNKNOWN]])
    low = np.searchsorted(launched, [step.start_ns for step in steps])
    high = np.searchsorted(launched, [step.end_ns for step in steps])
    sizes: Ints = (high - low) * _NODES_PER_LAUNCH
    return sizes


def _typical(steps: Sequence[StepWindow], sizes: Ints, most_nodes: int) -> slice:
    """Neighbouring steps that fit, those whose mean duration is closest to the median step's."""
    total = int(sizes.sum())
    if total <= most_nodes:
        return slice(0, len(steps))
    count = max(1, int(most_nodes * len(steps) / total))
    lengths = np.array([step.end_ns - step.start_ns for step in steps], np.float64)
    means = np.convolve(lengths, np.full(count, 1 / count), "valid")
    filled = np.convolve(sizes, np.ones(count, np.int64), "valid") > 0
    away = np.where(filled, np.abs(means - np.median(lengths)), np.inf)
    first = int(np.argmin(away))
    return slice(first, first + count)


def _kept(events: Events, work: DeviceWork, begin: int, end: int) -> Mask:
    """What touches the window, and the device work launched in it."""
    kept: Mask = (events.start < end) & (events.end > begin)
    known = work.launch != UNKNOWN
    launch = work.launch[known]
    mine = (events.start[launch] >= begin) & (events.start[launch] < end)
    kept[work.rows[known][mine]] = True
    return kept


def _part(events: Events, rows: Ints) -> Events:
    """These rows alone, with what is known about them."""
    columns = ("start", "dur", "name", "cat", "stack", "pid", "tid", "correlation", "external")
    picked: dict[str, Any] = {
        name: getattr(events, name)[rows] for name in (*columns, "nbytes", "order")
    }
    new = {int(row): at for at, row in enumerate(rows.tolist())} if events.syncs else {}
    syncs = tuple(replace(sync, row=new[sync.row]) for sync in events.syncs if sync.row in new)
    return replace(events, collectives=(), memory=MemoryChanges(), syncs=syncs, **picked)


def replay_table(found: TraceGraph) -> Table:
    """What was replayed and how well it fits: one row."""
    graph, path = found.graph, found.path
    steps = graph.steps
    columns = (
        Column("steps"),
        Column("of_steps"),
        Column("nodes"),
        Column("measured_ns", "ns"),
        Column("modelled_ns", "ns"),
        Column("error", "ratio"),
        Column("bound_ns", "ns"),
        Column("host_ns", "ns"),
        Column("device_ns", "ns"),
        Column("reason"),
    )
    per_step = [
        round(ns / steps)
        for ns in (graph.calibration.measured_ns, graph.calibration.modelled_ns, path.bound_ns)
    ]
    row = (
        steps,
        found.of_steps,
        len(graph.nodes),
        *per_step[:2],
        graph.calibration.error,
        per_step[2],
        round(path.host_ns / steps),
        round(path.device_ns / steps),
        found.withheld,
    )
    return Table(columns, (row,))
