"""Whether a device idles because the recording shows the start of the program, not a steady step.

The first calls of a process make the context, load kernels, and ask the driver for memory: calls of
the runtime that take tens of milliseconds and wait for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_idle import DeviceIdle
from perfkit.analysis.spans import union
from perfkit.io.trace_syncs import waiting_calls
from perfkit.model.events import RUNTIME, Events

FIX = (
    "Record later: let some steps pass before the profiler starts (its schedule has wait and warmup), "
    "as the first ones make the context, load kernels and ask the driver for memory"
)
METHOD = "time of the calls that only a first step makes"
_LONG_NS = 20_000_000
_MOST = 0.5


@dataclass(frozen=True)
class StartUp:
    """Idle time of a device in calls that set it up, over all steps, and the longest of them."""

    idle_ns: int
    call: str
    longest_ns: int


def start_up(events: Events, device: DeviceIdle, late_ns: int) -> StartUp | None:
    """The start-up in a trace, if it makes up most of `late_ns`: idle time because of a late host."""
    calls = events.of(RUNTIME) & (events.dur >= _LONG_NS)
    if not calls.any():
        return None
    rows = np.flatnonzero(calls & ~waiting_calls(events))
    idle = int(union(events.start[rows], events.end[rows]).covered(device.start, device.end).sum())
    if not len(rows) or idle <= _MOST * late_ns:
        return None
    longest = int(rows[np.argmax(events.dur[rows])])
    return StartUp(idle, events.name_of(longest), int(events.dur[longest]))
