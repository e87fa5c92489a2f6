"""Which device each wait of the host waited for, where a process uses several.

A runtime call does not name its device, so in this order: Kineto's own record of the wait on the
device (`cuda_sync`, same correlation); the device of what the operator around the wait launched
(a read is a copy and a wait for it); the only device that the waiting thread ever launched on.
Where none of these names one device, nobody is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perfkit.analysis.device_work import DeviceWork
from perfkit.io._nesting import threads
from perfkit.io.trace_ops import lookup
from perfkit.io.trace_syncs import Wait
from perfkit.model.events import UNKNOWN, Events, Ints


def wait_devices(events: Events, waits: Sequence[Wait], work: DeviceWork) -> Ints:
    """The device of each wait, UNKNOWN where the trace does not tell it."""
    if len(work.devices) < 2:
        only = work.devices[0] if work.devices else UNKNOWN
        return np.full(len(waits), only, np.int64)
    row, begin, end = (
        np.array([getattr(wait, name) for wait in waits], np.int64)
        for name in ("row", "begin_ns", "end_ns")
    )
    found = _recorded(events, row)
    missing = np.flatnonzero(found == UNKNOWN)
    found[missing] = _launched(events, work, row[missing], begin[missing], end[missing])
    return found


def _recorded(events: Events, row: Ints) -> Ints:
    rows = np.array([sync.row for sync in events.syncs], np.int64)
    at = lookup(events.correlation[rows], rows, events.correlation[row])
    return np.where(at != UNKNOWN, events.pid[at], UNKNOWN)


def _launched(events: Events, work: DeviceWork, row: Ints, begin: Ints, end: Ints) -> Ints:
    """By what the waiting thread launched inside the operator, else at any time."""
    found = np.full(len(row), UNKNOWN, np.int64)
    linked = np.flatnonzero(work.launch != UNKNOWN)
    linked = linked[np.argsort(work.launch[linked], kind="stable")]
    thread = threads(events)
    launcher = thread[work.launch[linked]]
    for lane in np.unique(thread[row]).tolist():
        own = linked[launcher == lane]
        mine = np.flatnonzero(thread[row] == lane)
        at = events.start[work.launch[own]]
        first, last = np.searchsorted(at, begin[mine]), np.searchsorted(at, end[mine])
        inside = _only(work, own, first, last)
        ever = _only(work, own, np.zeros_like(first), np.full_like(last, len(own)))
        found[mine] = np.where(last > first, inside, ever)
    return found


def _only(work: DeviceWork, own: Ints, first: Ints, last: Ints) -> Ints:
    """The one device among the launches `[first, last)` of each wait, UNKNOWN where not one."""
    counts = np.stack([np.r_[0, np.cumsum(work.device[own] == device)] for device in work.devices])
    launched = counts[:, last] - counts[:, first] > 0
    devices = np.array(work.devices, np.int64)
    return np.where(launched.sum(axis=0) == 1, devices[np.argmax(launched, axis=0)], UNKNOWN)
