"""The waits of a trace behind a finding: which they are, what they cost, where the program was."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from perfkit.analysis.sync_points import Key, SyncPoint, sync_points
from perfkit.analysis.sync_waits import WaitCost, blame
from perfkit.analysis.trace_reading import trace_reading
from perfkit.base import units
from perfkit.io._nesting import parents_among
from perfkit.model.events import ANNOTATIONS, UNKNOWN, Events
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.model.table import Cell

_NOT_TELLING = ("ProfilerStep#", "enumerate(DataLoader)")


def waits_of(run: Run, points: Sequence[SyncPoint]) -> list[WaitCost]:
    """The trace's waits of these points: by place, and by kind where all of a kind are among them.

    A capture of our own knows places from another step than the traced one, which has no stacks.
    """
    if not isinstance(run.events, Events):
        return []
    waits = _by_key(run.events)
    found = [cost for point in points for cost in waits.get(_key(point), ())]
    if found or not points:
        return found
    kinds = {(point.kind, point.direction) for point in points}
    places = {p.site for p in sync_points(run) if p.site and (p.kind, p.direction) in kinds}
    if not places or not places <= {point.site for point in points}:
        return []
    every = trace_reading(run.events).waits
    return [cost for cost in every if (cost.wait.kind, cost.wait.direction) in kinds]


def trace_evidence(run: Run, points: Sequence[SyncPoint]) -> dict[str, Cell]:
    """What only a trace tells of waits: the idle time after them, whose fault it is, and inside what."""
    mine = [cost for cost in waits_of(run, points) if cost.step != UNKNOWN]
    if not mine or not isinstance(run.events, Events):
        return {}
    idle = [point.idle_ns for point in points if point.idle_ns is not None]
    return {
        "idle_ns": sum(idle) if idle else None,
        "verdict": blame(mine),
        "calls": ", ".join(sorted({cost.wait.call for cost in mine})),
        "inside": _inside(run.events, mine),
    }


def told(evidence: dict[str, Cell]) -> str:
    """The two costs, as the end of a finding's title; empty where no trace shows both."""
    waited, idle = evidence.get("blocked_ns"), evidence.get("idle_ns")
    if not isinstance(waited, int) or not isinstance(idle, int):
        return ""
    return f": {units.ns(waited)} in all, after which the device idles {units.ns(idle)}"


def _inside(events: Events, waits: Sequence[WaitCost]) -> str | None:
    """The annotation in which most of them lie."""
    around = _annotations(events)
    names = [around[cost.wait.row] for cost in waits if cost.wait.row in around]
    return Counter(names).most_common(1)[0][0] if names else None


@lru_cache(maxsize=1)
def _annotations(events: Events) -> dict[int, str]:
    """The innermost annotation of the program around each wait, by the wait's row."""
    rows = np.array(sorted({cost.wait.row for cost in trace_reading(events).waits}), np.int64)
    marks = events.of(ANNOTATIONS)
    marks &= ~events.named(name for name in events.names if name.startswith(_NOT_TELLING))
    asked = marks.copy()
    asked[rows] = True
    parent = parents_among(events, asked)
    found = {}
    for row in rows.tolist():
        at = int(parent[row])
        while at >= 0 and not marks[at]:
            at = int(parent[at])
        if at >= 0:
            found[row] = events.name_of(at)
    return found


@lru_cache(maxsize=1)
def _by_key(events: Events) -> dict[Key, list[WaitCost]]:
    groups: dict[Key, list[WaitCost]] = defaultdict(list)
    for cost in trace_reading(events).waits:
        wait = cost.wait
        place = _placed(wait.stack[0] if wait.stack else None)
        groups[wait.op, place, wait.phase, wait.direction].append(cost)
    return groups


def _key(point: SyncPoint) -> Key:
    return point.op, _placed(point.site), point.phase, point.direction


def _placed(site: Frame | None) -> Frame | None:
    """One line may be reached under two function names (a lambda, a comprehension): one place."""
    return Frame(site.file, site.line, "") if site else None
