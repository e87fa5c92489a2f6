"""Edits as people write them: by the names of operators, calls and kernels, `*` and `?` as wildcards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from perfkit.analysis.dependency_graph import DependencyGraph
from perfkit.analysis.what_if import (
    Captured,
    Edit,
    Faster,
    Fused,
    HostFaster,
    Overlapped,
    WithoutWaits,
)
from perfkit.base.errors import PerfkitError
from perfkit.model.events import ANNOTATIONS, DEVICE_WORK, HOST_OPS, RUNTIME, StepWindow

EDITS: Mapping[str, type[WithoutWaits] | type[Fused] | type[Overlapped] | type[Captured]] = {
    "without_waits": WithoutWaits,
    "fused": Fused,
    "overlapped": Overlapped,
    "captured": Captured,
}
"""By kind; those in `PACED` make others, as they also need how many times."""

PACED = ("faster", "host_faster")

_ONCE_PER_STEP = ("fused", "captured")
_SHOWN = 5


@dataclass(frozen=True)
class Described:
    """One edit in words: its kind, the names it means, and how many times faster where it says so.

    `host_faster` takes names of operators and annotations, or none for the host everywhere.
    """

    kind: str
    names: tuple[str, ...]
    times: float | None = None


def rows_named(graph: DependencyGraph, patterns: Sequence[str]) -> tuple[int, ...]:
    """Events in the graph's window whose name matches one of the patterns."""
    events = graph.events
    names = [n for n in events.names if any(fnmatchcase(n, pattern) for pattern in patterns)]
    inside = (events.start >= graph.begin_ns) & (events.start < graph.begin_ns + graph.span_ns)
    return tuple(np.flatnonzero(events.named(names) & inside).tolist())


def edits_described(
    graph: DependencyGraph, described: Iterable[Described], steps: Sequence[StepWindow] = ()
) -> list[Edit]:
    """The edits that a description means in this trace.

    Args:
        steps: those of the graph; fusion and capture happen once in each of them.

    Raises:
        PerfkitError: an edit nobody knows, names that match nothing, or a pace below one.
    """
    return [edit for one in described for edit in _edits(graph, one, steps)]


def _edits(graph: DependencyGraph, one: Described, steps: Sequence[StepWindow]) -> list[Edit]:
    if one.kind not in (*EDITS, *PACED):
        kinds = ", ".join((*EDITS, *PACED))
        raise PerfkitError(f"no such edit: {one.kind!r}", f"one of {kinds}")
    if one.kind == "host_faster" and not one.names:
        return [HostFaster(_times(one))]
    rows = rows_named(graph, one.names)
    if one.kind == "host_faster":
        host = graph.events.of((*HOST_OPS, *ANNOTATIONS))
        rows = tuple(row for row in rows if host[row])
    if not rows:
        raise PerfkitError(f"nothing in the trace is named {' or '.join(one.names)}", _near(graph))
    if one.kind in PACED:
        times = _times(one)
        return [Faster(rows, times) if one.kind == "faster" else HostFaster(times, rows)]
    if one.kind in _ONCE_PER_STEP:
        return [EDITS[one.kind](group) for group in _by_step(graph, rows, steps)]
    return [EDITS[one.kind](rows)]


def _times(one: Described) -> float:
    if one.times is None or not one.times >= 1:
        what = " and ".join(one.names) or "the host"
        raise PerfkitError(
            f"how many times faster {what} gets must be 1 or more: {one.times}",
            "2 means twice as fast",
        )
    return one.times


def _by_step(
    graph: DependencyGraph, rows: tuple[int, ...], steps: Sequence[StepWindow]
) -> list[tuple[int, ...]]:
    wanted = np.array(rows, np.int64)
    starts = np.array([step.start_ns for step in steps], np.int64)
    step = np.searchsorted(starts, graph.events.start[wanted], side="right")
    return [tuple(wanted[step == number].tolist()) for number in np.unique(step)]


def _near(graph: DependencyGraph) -> str:
    """Names there are, those that take most time."""
    events = graph.events
    rows = np.flatnonzero(events.of((*HOST_OPS, *RUNTIME, *DEVICE_WORK)))
    spent = np.zeros(len(events.names), np.int64)
    np.add.at(spent, events.name[rows], events.dur[rows])
    most = np.argsort(-spent, kind="stable")[:_SHOWN]
    names = ", ".join(events.names[code][:60] for code in most.tolist() if spent[code])
    return f"wildcards are * and ?; there are for example {names}"
