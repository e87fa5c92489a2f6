"""The steps of a trace, whoever recorded it: marked, annotated, found by repetition, or none.

Tried in this order, the first that holds wins, and the reason is kept for the reader:

1. `ProfilerStep#n` marks, which `profiler.step()` writes.
2. A user annotation that repeats and covers most of the time between its first and its last
   appearance, or a single one that covers most of the operators: its intervals are the steps.
3. The loop's own marks: `Optimizer.step` ends steps, the DataLoader's `__next__` begins them.
4. Repetition: the sequence of launched kernels (of operators, where nothing was launched) repeats.
   The longest period counts, since layers repeat inside steps; a single step of equal layers looks
   the same, which the reason says.
5. The whole trace as one window.

A window found alone ends no earlier than the device work that was launched in it; of several, the
device's backlog of one lies in the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from perfkit.analysis.device_work import DeviceWork, device_work
from perfkit.analysis.spans import union
from perfkit.model.events import ANNOTATIONS, HOST_OPS, UNKNOWN, Events, Ints, StepWindow

How = Literal["marked", "annotation", "loop", "repetition", "whole"]

_COVERS = 0.5
_ALIKE = 0.9
_REGION = 0.8
_LEAST_LAUNCHES = 8
_CANDIDATES = 40
_NAME = 32
_TORCHS_OWN = ("nccl:", "gloo:", "Optimizer.", "enumerate(DataLoader)", "## Call CompiledFxGraph")
_LOADER = "enumerate(DataLoader)"
_OPTIMIZER = "Optimizer.step#"


@dataclass(frozen=True)
class TraceSteps:
    """The windows in order; none overlap.

    Attributes:
        how: which of the five ways found them.
        marker: what a step is here, for people: "ProfilerStep mark", "annotation 'train'".
        reason: why this way, for the coverage; empty for marks.
    """

    windows: tuple[StepWindow, ...]
    how: How
    marker: str
    reason: str = ""

    @property
    def starts(self) -> Ints:
        return np.array([w.start_ns for w in self.windows], np.int64)

    @property
    def ends(self) -> Ints:
        return np.array([w.end_ns for w in self.windows], np.int64)

    def index_of(self, at: Ints) -> Ints:
        """For each moment the index of its step, UNKNOWN where it lies in none."""
        if not self.windows:
            return np.full(len(at), UNKNOWN, np.int64)
        index = np.searchsorted(self.starts, at, side="right") - 1
        inside = (index >= 0) & (at < self.ends[np.maximum(index, 0)])
        return np.where(inside, index, UNKNOWN)

    def self_check(self) -> None:
        """Raise AssertionError unless the windows are in order, disjoint and not empty."""
        assert bool((self.starts < self.ends).all())
        assert bool((self.starts[1:] >= self.ends[:-1]).all())


def trace_steps(events: Events, work: DeviceWork | None = None) -> TraceSteps:
    """The steps of a trace; a trace without any interval has no window."""
    work = device_work(events) if work is None else work
    found = _marked(events) or _annotated(events) or _loop(events) or _repeated(events, work)
    found = found or _whole(events, work)
    return _finished(found, events, work) if len(found.windows) == 1 else found


def _finished(steps: TraceSteps, events: Events, work: DeviceWork) -> TraceSteps:
    """The only step, until its device work has ended."""
    (window,) = steps.windows
    known = work.launch != UNKNOWN
    launched = events.start[work.launch[known]]
    mine = work.end[known][(launched >= window.start_ns) & (launched < window.end_ns)]
    end = max(window.end_ns, int(mine.max())) if len(mine) else window.end_ns
    return replace(steps, windows=(replace(window, end_ns=end),))


def _marked(events: Events) -> TraceSteps | None:
    windows = _disjoint([(w.number, w.start_ns, w.end_ns) for w in events.steps()])
    return TraceSteps(windows, "marked", "ProfilerStep mark") if windows else None


def _annotated(events: Events) -> TraceSteps | None:
    ops = events.of(HOST_OPS)
    best: TraceSteps | None = None
    for name, rows in _annotations(events):
        if name.startswith(_TORCHS_OWN):
            continue
        start, end = events.start[rows], events.end[rows]
        spans = union(start, end)
        whole = int(end.max()) - int(start[0])
        inside = spans.contains(events.start[ops])
        if len(rows) > 1 and ((start[1:] < end[:-1]).any() or spans.total < _COVERS * whole):
            continue
        if not len(inside) or (len(rows) == 1 and float(inside.mean()) < _REGION):
            continue
        pairs = zip(start.tolist(), end.tolist(), strict=True)
        windows = _disjoint([(i, *pair) for i, pair in enumerate(pairs)])
        times = f"repeats {len(rows)} times" if len(rows) > 1 else "covers the operators"
        why = f"no ProfilerStep marks; the annotation {name!r} {times}"
        short = name if len(name) <= _NAME else name[: _NAME - 1] + "…"
        found = TraceSteps(windows, "annotation", f"annotation {short!r}", why)
        if windows and (best is None or _better(found, best)):
            best = found
    return best


def _better(one: TraceSteps, other: TraceSteps) -> bool:
    """Several steps rather than one, then what covers more time."""
    several = len(one.windows) > 1, len(other.windows) > 1
    if several[0] != several[1]:
        return several[0]
    return int((one.ends - one.starts).sum()) > int((other.ends - other.starts).sum())


def _loop(events: Events) -> TraceSteps | None:
    """Steps between the marks that torch's own optimizers and loaders leave."""
    host = events.of((*HOST_OPS, *ANNOTATIONS))
    if not host.any():
        return None
    first, last = int(events.start[host].min()), int(events.end[host].max())
    for prefix, marker in ((_OPTIMIZER, "optimizer.step"), (_LOADER, "DataLoader batch")):
        rows = [r for name, found in _annotations(events) if name.startswith(prefix) for r in found]
        if len(rows) < 2:
            continue
        if prefix == _OPTIMIZER:
            edges = [first, *sorted(int(events.end[r]) for r in rows)]
        else:
            edges = [*sorted(int(events.start[r]) for r in rows), last]
        windows = _disjoint([(i, *pair) for i, pair in enumerate(pairwise(edges))])
        if windows:
            why = f"no ProfilerStep marks; {len(rows)} marks of {marker} bound the steps"
            return TraceSteps(windows, "loop", marker, why)
    return None


def _annotations(events: Events) -> Iterator[tuple[str, Ints]]:
    """Names of the host's annotations and their rows in time order."""
    rows = np.flatnonzero(events.of(ANNOTATIONS))
    for code in np.unique(events.name[rows]):
        yield events.names[int(code)], rows[events.name[rows] == code]


def _repeated(events: Events, work: DeviceWork) -> TraceSteps | None:
    codes, times = _sequence(events, work)
    period = _period(codes)
    if period is None:
        return None
    first, length = period
    count = (len(codes) - first) // length
    edges = [int(times[first + i * length]) for i in range(count)]
    rest = first + count * length
    edges.append(int(times[rest]) if rest < len(times) else _last(events))
    windows = _disjoint([(i, *pair) for i, pair in enumerate(pairwise(edges))])
    if len(windows) < 2:
        return None
    why = (
        f"nothing marks the steps; a sequence of {length} launches repeats {len(windows)} times "
        "(the layers of a single step could look the same)"
    )
    return TraceSteps(windows, "repetition", f"repeating sequence of {length} launches", why)


def _sequence(events: Events, work: DeviceWork) -> tuple[Ints, Ints]:
    """Name codes and host times of the launches (of one per graph), or of the operators."""
    known = np.flatnonzero(work.launch != UNKNOWN)
    if len(known):
        launch, first = np.unique(work.launch[known], return_index=True)
        return events.name[work.rows[known[first]]], events.start[launch]
    rows = np.flatnonzero(events.of(HOST_OPS))
    outer = np.r_[True, events.start[rows][1:] >= np.maximum.accumulate(events.end[rows])[:-1]]
    rows = rows[outer] if len(rows) else rows
    return events.name[rows], events.start[rows]


def _period(codes: Ints) -> tuple[int, int] | None:
    """Where the longest repetition begins and its length, in entries; None where nothing repeats.

    Names that occur k times at even distances are the anchors, the rarest first.
    """
    if len(codes) < 2 * _LEAST_LAUNCHES:
        return None
    names, counts = np.unique(codes, return_counts=True)
    order = np.argsort(counts, kind="stable")
    order = order[counts[order] >= 2][:_CANDIDATES]
    for name in names[order]:
        at = np.flatnonzero(codes == name)
        length = int(np.median(np.diff(at)))
        if length < _LEAST_LAUNCHES:
            continue
        same = codes[: len(codes) - length] == codes[length:]
        first = int(at[0])
        if same[: first + 1].any():  # the period may begin before its anchor
            first -= int(np.argmin(np.r_[same[:first][::-1], False]))
        inside = same[first:]
        long_enough = (len(codes) - first) // length >= 2 and len(inside) + length >= _REGION * len(
            codes
        )
        if long_enough and len(inside) and float(inside.mean()) >= _ALIKE:
            return first, length
    return None


def _whole(events: Events, work: DeviceWork) -> TraceSteps:
    host = events.of((*HOST_OPS, *ANNOTATIONS))
    starts = np.r_[events.start[host], work.start]
    if not len(starts):
        return TraceSteps((), "whole", "whole trace", "the trace holds no operator and no kernel")
    low, high = int(starts.min()), _last(events)
    windows = _disjoint([(0, low, high)])
    why = "nothing marks steps and nothing repeats, so the whole trace counts as one"
    return TraceSteps(windows, "whole", "whole trace", why)


def _last(events: Events) -> int:
    """End of the last operator, annotation, runtime call or piece of device work."""
    noise = events.of(("trace", "overhead"))
    return int(events.end[~noise].max())


def _disjoint(found: list[tuple[int, int, int]]) -> tuple[StepWindow, ...]:
    """Windows in order; one that begins before the last has ended begins where that ends."""
    windows: list[StepWindow] = []
    for number, start, end in sorted(found, key=lambda f: (f[1], f[2])):
        start = max(start, windows[-1].end_ns) if windows else start
        if start < end:
            windows.append(StepWindow(number, start, end))
    return tuple(windows)
