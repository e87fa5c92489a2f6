"""A few steps as lanes of intervals, few enough to draw: host, launches, waits, streams, samples.

Lanes hold what does not overlap: of nested intervals the outermost ones of a thread, then, as a lane of
their own, the outermost of what is left. A trace of millions of events has to fit a page, so each lane
has a budget. Beyond it the longest intervals stay as they are; the short ones between them are merged
within cells of equal time, and a merged interval says how many it stands for and how much of its
extent they cover. Nothing is left out without being counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfkit.analysis._host_lanes import outermost
from perfkit.analysis.device_samples import devices, values
from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.sample_axis import trace_to_monotonic
from perfkit.analysis.sync_waits import WaitCost
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.base.errors import NotObservable
from perfkit.model.events import ANNOTATIONS, HOST_OPS, RUNTIME, Events, Ints, Mask, StepWindow
from perfkit.model.samples import Samples
from perfkit.model.table import Column, Table

MOST = 3_000
"""Intervals of all lanes together."""
_STEPS = 3
_THREADS = 3
_STREAMS = 8
_LEVELS = {"region": 2, "python": 3}
_TITLES = {"region": "regions", "python": "Python"}
_STEP_MARK = "ProfilerStep#"

Kind = Literal["region", "python", "op", "launch", "wait", "compute", "comm", "copy", "sample"]
_Window = tuple[int, int]
COLUMNS = (
    Column("lane"),
    Column("kind"),
    Column("name"),
    Column("start_ns", "ns"),
    Column("dur_ns", "ns"),
    Column("count"),
    Column("covered_ns", "ns"),
)
STEP_COLUMNS = (Column("step"), Column("start_ns", "ns"), Column("dur_ns", "ns"))


@dataclass(frozen=True)
class Lane:
    """Intervals of one lane, sorted by start, none overlapping another but by rounding.

    Attributes:
        kinds, names: one per interval; the name is "" where several were merged.
        start, end: ns of the trace, cut at the window.
        count: events that an interval stands for; covered: the time they cover together, ns.
    """

    title: str
    kinds: tuple[Kind, ...]
    names: tuple[str, ...]
    start: Ints
    end: Ints
    count: Ints
    covered: Ints

    def __len__(self) -> int:
        return len(self.start)

    def self_check(self) -> None:
        """Raise AssertionError when an interval is out of order or covers more than its extent."""
        assert bool((np.diff(self.start) >= 0).all())
        assert bool((self.covered <= self.end - self.start).all())
        assert bool((self.count >= 1).all())


@dataclass(frozen=True)
class Timeline:
    """Some steps of a trace; `of_steps` is how many there are."""

    windows: tuple[StepWindow, ...]
    of_steps: int
    lanes: tuple[Lane, ...]

    def self_check(self) -> None:
        """Raise AssertionError when a lane contradicts itself or the budget is exceeded."""
        for lane in self.lanes:
            lane.self_check()
        assert sum(map(len, self.lanes)) <= MOST + 2 * len(self.lanes)


def timeline(
    events: Events,
    steps: TraceSteps,
    work: DeviceWork,
    waits: Sequence[WaitCost],
    samples: Sequence[Samples] = (),
    most: int = MOST,
) -> Timeline:
    """The chosen steps as lanes.

    Raises:
        NotObservable: the trace has no steps, or nothing happens in them.
    """
    windows = chosen(steps.windows)
    if not windows:
        raise NotObservable("the trace has no steps to draw")
    within = windows[0].start_ns, windows[-1].end_ns
    full = [
        *_host(events, within),
        *_waits(waits, within),
        *_streams(events, work, within),
        *_sampled(events, samples, within),
    ]
    full = [lane for lane in full if len(lane)]
    if not full:
        raise NotObservable("nothing happens in the steps of the trace")
    shares = _shares([len(lane) for lane in full], most)
    lanes = tuple(_merged(lane, share, within) for lane, share in zip(full, shares, strict=True))
    return Timeline(windows, len(steps.windows), lanes)


def chosen(windows: Sequence[StepWindow]) -> tuple[StepWindow, ...]:
    """Up to three steps in a row: the one of median length and its neighbours, the first step left out."""
    if len(windows) <= _STEPS:
        return tuple(windows)
    lengths = [window.end_ns - window.start_ns for window in windows[1:]]
    middle = 1 + int(np.argsort(lengths, kind="stable")[len(lengths) // 2])
    first = min(max(1, middle - 1), len(windows) - _STEPS)
    return tuple(windows[first : first + _STEPS])


def timeline_table(drawn: Timeline) -> Table:
    """A row per interval; times from the first step's start; `name` is None for merged ones."""
    zero = drawn.windows[0].start_ns
    rows = [
        (lane.title, kind, name or None, start - zero, end - start, count, covered)
        for lane in drawn.lanes
        for kind, name, start, end, count, covered in zip(
            lane.kinds,
            lane.names,
            lane.start.tolist(),
            lane.end.tolist(),
            lane.count.tolist(),
            lane.covered.tolist(),
            strict=True,
        )
    ]
    return Table(COLUMNS, tuple(rows))


def timeline_steps_table(drawn: Timeline) -> Table:
    """The steps that are drawn, times from the first one's start."""
    zero = drawn.windows[0].start_ns
    rows = ((w.number, w.start_ns - zero, w.end_ns - w.start_ns) for w in drawn.windows)
    return Table(STEP_COLUMNS, tuple(rows))


def _host(events: Events, within: _Window) -> list[Lane]:
    low, high = within
    inside = (events.start < high) & (events.end > low)
    marks = [code for code, name in enumerate(events.names) if name.startswith(_STEP_MARK)]
    begun = inside & (events.start >= low)  # what spans the steps says nothing about them
    regions = begun & events.of(ANNOTATIONS) & ~np.isin(events.name, marks)
    python = begun & events.of(("python_function",))
    ops, calls = inside & events.of(HOST_OPS), inside & events.of(RUNTIME)
    lanes = _nested(events, regions, "region", within)
    lanes += _nested(events, python, "python", within)
    kinds: tuple[tuple[Kind, str, Mask], ...] = (
        ("op", "operators", ops),
        ("launch", "runtime calls", calls),
    )
    for kind, title, mask in kinds:
        threads, counts = np.unique(events.tid[mask], return_counts=True)
        for number, tid in enumerate(threads[np.argsort(-counts, kind="stable")][:_THREADS]):
            rows = np.flatnonzero(mask & (events.tid == tid))
            name = title if not number else f"{title}, thread {number + 1}"
            rows = rows[outermost(events.start[rows], events.end[rows], events.tid[rows])]
            lanes.append(_lane(name, kind, events, rows, within))
    return lanes


def _nested(
    events: Events, mask: Mask, kind: Literal["region", "python"], within: _Window
) -> list[Lane]:
    """The outermost intervals of the thread that has most, then the outermost of the rest."""
    threads, counts = np.unique(events.tid[mask], return_counts=True)
    if not len(threads):
        return []
    left = np.flatnonzero(mask & (events.tid == threads[np.argmax(counts)]))
    lanes = []
    for level in range(_LEVELS[kind]):
        outer = outermost(events.start[left], events.end[left], events.tid[left])
        name = _TITLES[kind] if not level else f"{_TITLES[kind]}, inside {level}"
        lanes.append(_lane(name, kind, events, left[outer], within))
        left = left[~outer]
    return lanes


def _lane(title: str, kind: Kind, events: Events, rows: Ints, within: _Window) -> Lane:
    names = tuple(events.name_of(row) for row in rows.tolist())
    return _made(title, (kind,) * len(rows), names, (events.start[rows], events.end[rows]), within)


def _waits(waits: Sequence[WaitCost], within: _Window) -> list[Lane]:
    low, high = within
    mine = sorted(
        (cost.wait for cost in waits if cost.wait.start_ns < high and cost.wait.end_ns > low),
        key=lambda wait: wait.start_ns,
    )
    if not mine:
        return []
    names = tuple(f"{wait.op} in {wait.call}" if wait.op else wait.call for wait in mine)
    kinds: list[Kind] = ["wait"] * len(mine)
    times = np.array([(w.start_ns, w.end_ns) for w in mine], np.int64)
    return [_made("waits", kinds, names, (times[:, 0], times[:, 1]), within)]


def _streams(events: Events, work: DeviceWork, within: _Window) -> list[Lane]:
    """A lane per stream, the busiest eight."""
    low, high = within
    inside = (work.start < high) & (work.end > low)
    pairs = np.stack([work.device[inside], work.stream[inside]], axis=1)
    if not len(pairs):
        return []
    streams, index = np.unique(pairs, axis=0, return_inverse=True)
    busy = np.bincount(index.ravel(), weights=(work.end - work.start)[inside])
    lanes = []
    for device, stream in streams[np.argsort(-busy, kind="stable")[:_STREAMS]].tolist():
        mine = np.flatnonzero(inside & (work.device == device) & (work.stream == stream))
        names = tuple(events.name_of(row) for row in work.rows[mine].tolist())
        kinds = list(map(_work_kind, work.is_copy[mine].tolist(), work.is_comm[mine].tolist()))
        title = f"device {device}, stream {stream}"
        lanes.append(_made(title, kinds, names, (work.start[mine], work.end[mine]), within))
    return lanes


def _work_kind(is_copy: bool, is_comm: bool) -> Kind:
    return "copy" if is_copy else "comm" if is_comm else "compute"


def _sampled(events: Events, samples: Sequence[Samples], within: _Window) -> list[Lane]:
    """NVML's utilisation from one sample to the next."""
    low, high = within
    lanes = []
    for each in devices(samples):
        try:
            at = each.time - trace_to_monotonic(events, each)
        except NotObservable:
            continue
        share = values(each, "sm_utilisation")
        mine = np.flatnonzero((at[:-1] < high) & (at[1:] > low) & ~np.isnan(share[:-1]))
        names = tuple(f"utilisation {value:.0%}" for value in share[mine].tolist())
        kinds: list[Kind] = ["sample"] * len(mine)
        lanes.append(_made(f"{each.subject}, NVML", kinds, names, (at[mine], at[mine + 1]), within))
    return lanes


def _made(
    title: str,
    kinds: Sequence[Kind],
    names: tuple[str, ...],
    times: tuple[Ints, Ints],
    within: _Window,
) -> Lane:
    start, end = (np.clip(time, *within) for time in times)
    return Lane(title, tuple(kinds), names, start, end, np.ones(len(start), np.int64), end - start)


def _shares(sizes: Sequence[int], most: int) -> list[int]:
    """What each lane may keep: the small ones all, the others equal parts of what is left."""
    shares, left = [0] * len(sizes), most
    for done, index in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        shares[index] = min(sizes[index], left // (len(sizes) - done))
        left -= shares[index]
    return shares


def _merged(lane: Lane, budget: int, within: _Window) -> Lane:
    """At most `budget` + 1 intervals: the longest third, and the short ones between them by cell."""
    if len(lane) <= budget:
        return lane
    third, (low, high) = max(1, budget // 3), within
    kept = np.zeros(len(lane), np.bool_)
    kept[np.argsort(-lane.covered, kind="stable")[:third]] = True
    cell = ((lane.start - low) * third) // max(1, high - low)
    new = kept | np.append(True, kept[:-1]) | np.append(True, np.diff(cell) != 0)
    group = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    count = np.bincount(group)
    end = np.maximum.reduceat(lane.end, first)
    covered = np.add.reduceat(lane.covered, first)
    alone = count == 1
    return Lane(
        title=lane.title,
        kinds=tuple(lane.kinds[i] for i in first.tolist()),
        names=tuple(
            lane.names[i] if own else ""
            for i, own in zip(first.tolist(), alone.tolist(), strict=True)
        ),
        start=lane.start[first],
        end=end,
        count=count.astype(np.int64),
        covered=np.minimum(covered, end - lane.start[first]),
    )
