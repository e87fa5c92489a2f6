"""What the host was doing at each moment: exclusive sets of time over the program's own threads.

The program's threads are those that launched device work or hold the step marks (in a trace without
a device: those with operators); a loader's or a pinning thread does not count. On one thread, what
lies innermost in this order wins: loading data, waiting for the device, other, launching, ATen.
Between threads the one that works wins: launching, ATen, waiting, loading, other. What is left is
Python: no event says anything else.

    launching   runtime and driver calls that do not wait
    aten        operators outside of those calls
    sync_wait   runtime calls that wait for the device (`io.trace_syncs.waiting_calls`)
    loading     inside the DataLoader's `__next__`
    other       the profiler's own overhead, collectives on the CPU
    python      the rest
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.spans import EMPTY, Spans, union
from perfkit.io._nesting import threads
from perfkit.io.trace_syncs import waiting_calls
from perfkit.model.events import ANNOTATIONS, HOST_OPS, RUNTIME, UNKNOWN, Events, Ints, Mask

PARTS = ("python", "aten", "launching", "sync_wait", "loading", "other")
_INNERMOST = ("loading", "sync_wait", "other", "launching", "aten")
_BETWEEN = ("launching", "aten", "sync_wait", "loading", "other")
_LOADER = "enumerate(DataLoader)"
_MARK = "ProfilerStep#"


@dataclass(frozen=True)
class HostTime:
    """Disjoint sets of time by what the host did; `python` is whatever none of them covers."""

    sets: Mapping[str, Spans]

    def parts(self, low: Ints, high: Ints) -> dict[str, Ints]:
        """Time by part in each window, ns; the parts of a window sum to its length."""
        found = {name: spans.covered(low, high) for name, spans in self.sets.items()}
        rest = (high - low) - sum(found.values(), np.zeros(len(low), np.int64))
        return {"python": rest, **found}

    def self_check(self) -> None:
        """Raise AssertionError when two parts overlap."""
        together = EMPTY
        for spans in self.sets.values():
            spans.self_check()
            assert (together & spans).total == 0
            together = together | spans


def host_time(events: Events, work: DeviceWork) -> HostTime:
    """The exclusive sets of the program's threads."""
    thread, ours = _threads(events, work)
    if not ours.any():
        return HostTime(dict.fromkeys(PARTS[1:], EMPTY))
    # Each thread gets a stretch of time of its own, so that one pass serves all of them.
    rows = np.flatnonzero(ours)
    start, end, thread = events.start[rows], events.end[rows], thread[rows]
    base = int(start.min())
    reach = int(end.max()) - base + 1
    start, end = start + (thread * reach - base), end + (thread * reach - base)
    raw = {name: union(start[mask[rows]], end[mask[rows]]) for name, mask in _masks(events).items()}
    own = _exclusive(raw, _INNERMOST)
    merged = {name: _folded(spans, reach, base) for name, spans in own.items()}
    return HostTime(_exclusive(merged, _BETWEEN))


def _masks(events: Events) -> dict[str, Mask]:
    runtime = events.of(RUNTIME)
    waits = waiting_calls(events)
    host = events.of((*HOST_OPS, *ANNOTATIONS))
    loader = events.named(name for name in events.names if name.startswith(_LOADER))
    gloo = events.named(name for name in events.names if name.startswith("gloo:"))
    marks = events.named(name for name in events.names if name.startswith((_MARK, _LOADER)))
    return {
        "loading": host & loader,
        "sync_wait": waits,
        "other": events.of(("overhead",)) | (host & gloo),
        "launching": runtime & ~waits,
        "aten": events.of(HOST_OPS) & ~marks,
    }


def _threads(events: Events, work: DeviceWork) -> tuple[Ints, Mask]:
    """A small number per thread of each row, and which rows belong to the program's threads."""
    host = events.of((*HOST_OPS, *ANNOTATIONS, *RUNTIME, "overhead"))
    code = threads(events)
    if not host.any():
        return code, host
    launches = work.launch[work.launch != UNKNOWN]
    if not len(launches):
        return code, host & np.isin(code, np.unique(code[np.flatnonzero(events.of(HOST_OPS))]))
    marks = events.named(name for name in events.names if name.startswith(_MARK))
    program = np.unique(np.r_[code[launches], code[np.flatnonzero(marks & host)]])
    return code, host & np.isin(code, program)


def _exclusive(sets: Mapping[str, Spans], order: tuple[str, ...]) -> dict[str, Spans]:
    taken, found = EMPTY, {}
    for name in order:
        found[name] = sets[name] - taken
        taken = taken | sets[name]
    return found


def _folded(spans: Spans, reach: int, base: int) -> Spans:
    """Stretches of several threads back on one line of time."""
    at = spans.start // reach * reach - base
    return union(spans.start - at, spans.end - at)
