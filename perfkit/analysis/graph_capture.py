"""What keeps a step from being captured as one CUDA graph, as far as a run can tell.

A capture records the launches of a step once, with their sizes and addresses, and replays them. So the
host must not wait or copy inside, and every step must launch the same work on the same sizes. Looked
at are: waits and blocking copies in forward and backward (of a foreign trace anywhere in the step, as
it does not tell these apart), the launches of the traced steps in order, the shapes of operators
where the trace has them, and the bytes that each deep step copies to the device. Where a trace has
device work its launches are compared by the work's name, else operators by theirs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.sync_points import SyncPoint, sync_points
from perfkit.analysis.trace_reading import TraceReading, trace_reading
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.events import HOST_OPS, UNKNOWN, Events, Ints
from perfkit.model.run import Run
from perfkit.model.table import Column, Table

_NAMED = 3
COLUMNS = (Column("step"), Column("launches"), Column("same_as_first"))


@dataclass(frozen=True)
class LaunchOrder:
    """What the traced steps launch, in order.

    Attributes:
        counts: launches of each step.
        same: for each step whether it launches what the first one does.
        differs: the first difference between any two, for people; None where there is none.
        shapes: whether their operators have equal shapes too; None where none were recorded.
    """

    counts: tuple[int, ...]
    same: tuple[bool, ...]
    differs: str | None
    shapes: bool | None

    def self_check(self) -> None:
        """Raise AssertionError unless there is a difference exactly where steps are not the same."""
        assert len(self.counts) == len(self.same)
        assert all(self.same) == (self.differs is None)


@dataclass(frozen=True)
class GraphCapture:
    """What stands in the way of a capture.

    Attributes:
        waits: what the host waits for or copies inside, most frequent first.
        changes: what differs between steps, for people.
        order: the launches that were compared.
        checked: what was looked at, for people; unchecked: what was not, and why.
    """

    waits: tuple[SyncPoint, ...]
    changes: tuple[str, ...]
    order: LaunchOrder
    checked: str
    unchecked: str

    @property
    def possible(self) -> bool:
        return not self.waits and not self.changes

    @property
    def waits_told(self) -> str:
        """`12 waits per step (model.py:3, ...)`."""
        count = round(sum(point.per_step for point in self.waits), 1)
        places = list(dict.fromkeys(_short(point) for point in self.waits))
        more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
        noun = "wait" if count == 1 else "waits"
        return f"{units.count(count)} {noun} per step ({', '.join(places[:_NAMED])}{more})"


def graph_capture(run: Run) -> GraphCapture:
    """What keeps the step of a run from being captured.

    Raises:
        NotObservable: nobody watched for waits, fewer than two steps were traced, or the program is
            compiled and was traced uncompiled.
    """
    if run.device == "pretend-cuda" and any(gap.what == "torch.compile" for gap in run.gaps):
        raise NotObservable("compiled code runs uncompiled on the pretended device")
    waits = tuple(point for point in sync_points(run) if _inside(point, run))
    if not isinstance(run.events, Events):
        raise NotObservable("no trace was read, so launches of steps cannot be compared")
    order = launch_order(trace_reading(run.events))
    sizes = _copied_sizes(run)
    changes = []
    if order.differs is not None:
        changes.append(order.differs)
    if order.shapes is False:
        changes.append("operators get other shapes in other steps")
    if sizes is False:
        changes.append("the bytes copied to the device differ from step to step")
    known = [name for name, seen in (("shapes", order.shapes), ("copied bytes", sizes)) if seen]
    return GraphCapture(
        waits=waits,
        changes=tuple(changes),
        order=order,
        checked=", ".join((f"launches of {len(order.counts)} steps", *known)),
        unchecked="" if order.shapes is not None else "shapes of operators were not recorded",
    )


def launch_order(reading: TraceReading) -> LaunchOrder:
    """Whether all steps of a trace launch the same.

    Raises:
        NotObservable: fewer than two steps, or nothing in them.
    """
    rows, names = _launched(reading)
    windows = reading.steps.windows
    if len(windows) < 2:
        raise NotObservable("fewer than two steps were traced, so they cannot be compared")
    edges = np.array([(w.start_ns, w.end_ns) for w in windows], np.int64)
    cut = np.searchsorted(reading.events.start[rows], edges)
    steps = [names[first:last] for first, last in cut.tolist()]
    if not any(len(step) for step in steps):
        raise NotObservable("the trace shows no launch in its steps")
    same = tuple(bool(np.array_equal(step, steps[0])) for step in steps)
    counts = tuple(len(step) for step in steps)
    return LaunchOrder(
        counts, same, _difference(steps, same, reading.events), _shapes(reading, edges)
    )


def launch_order_table(order: LaunchOrder) -> Table:
    """One row per step."""
    rows = tuple(
        (number, count, same)
        for number, (count, same) in enumerate(zip(order.counts, order.same, strict=True))
    )
    return Table(COLUMNS, rows)


def _inside(point: SyncPoint, run: Run) -> bool:
    return run.source == "trace" or point.phase in ("forward", "backward")


def _launched(reading: TraceReading) -> tuple[Ints, Ints]:
    """Rows of launch calls and the names of their first work; operators where no device is traced."""
    events, work = reading.events, reading.work
    known = work.launch != UNKNOWN
    if known.any():
        rows, first = np.unique(work.launch[known], return_index=True)
        return rows, events.name[work.rows[known][first]]
    rows = np.flatnonzero(events.of(HOST_OPS))
    return rows, events.name[rows]


def _difference(steps: list[Ints], same: tuple[bool, ...], events: Events) -> str | None:
    if all(same):
        return None
    other = same.index(False)
    one, two = steps[0], steps[other]
    if len(one) != len(two):
        counts = f"{units.count(len(one))} and {units.count(len(two))}"
        return f"steps launch differently often: {counts}"
    at = int(np.flatnonzero(one != two)[0])
    names = " and ".join(events.names[int(step[at])] for step in (one, two))
    return f"steps launch differently: {names} in the same place"


def _shapes(reading: TraceReading, edges: Ints) -> bool | None:
    """Whether all steps have operators of equal signatures in equal order; None where not recorded."""
    shapes = reading.events.shapes
    if not len(shapes):
        return None
    cut = np.searchsorted(reading.events.start[shapes.rows], edges)
    steps = [shapes.code[first:last] for first, last in cut.tolist()]
    return all(bool(np.array_equal(step, steps[0])) for step in steps)


def _copied_sizes(run: Run) -> bool | None:
    """Whether deep steps copy equally much at each place; None where that is not known of two."""
    deep = {step.index for step in run.steps_measured("deep")}
    copied: dict[int, dict[tuple[str, str], int]] = {step: defaultdict(int) for step in deep}
    for sync in run.syncs:
        if sync.step not in deep or sync.direction != "h2d":
            continue
        if sync.nbytes is None:
            return None
        copied[sync.step][sync.op, str(sync.site)] += sync.nbytes
    if len(copied) < 2 or not any(copied.values()):
        return None
    first, *others = copied.values()
    return all(other == first for other in others)


def _short(point: SyncPoint) -> str:
    if point.site is None:
        return point.op
    return f"{point.site.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{point.site.line}"
