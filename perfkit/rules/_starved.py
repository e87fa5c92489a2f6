"""Whether the launch queue runs empty for long enough to be a finding. Other rules then leave it its time."""

from __future__ import annotations

from collections.abc import Sequence

from perfkit.analysis.starved_queue import starved_queue
from perfkit.analysis.trace_reading import TraceReading
from perfkit.base.errors import NotObservable
from perfkit.rules._start_up import start_up

STARVED = "queue-starved"
SHARE = 0.05
LAUNCHES = 10


def starves(reading: TraceReading) -> bool:
    """Whether `queue_starved` speaks for the idle time because of a late host."""
    try:
        found = starved_queue(reading)
    except NotObservable:
        return False
    if found.share < SHARE or mean(found.launches) < LAUNCHES:
        return False
    idle = next(each for each in reading.idle if each.device == found.device)
    return start_up(reading.events, idle, found.total_ns) is None


def mean(values: Sequence[float]) -> float:
    """Nothing of nothing."""
    return sum(values) / len(values) if values else 0.0
