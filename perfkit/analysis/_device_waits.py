"""Which device work each waiting call, and each waiting stream, waited for.

Traces seldom say it. Where Kineto recorded the wait on the device (`cuda_sync`) its stream is
taken; elsewhere it is inferred from the order of launches and accepted only if it agrees with the
clock: what was awaited ended before the wait did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfkit.io.trace_ops import lookup
from perfkit.model.events import DEVICE_WORK, RUNTIME, UNKNOWN, Events, Ints, Mask

QUEUE = 1024
"""How many launches the host can run ahead of one stream before a launch call blocks: the depth
of CUDA's command queue as profilers observe it, not a documented constant."""

_EVENT_WAIT_NS = 5_000
"""An event wait shorter than this found its event done: it waited for nothing."""


@dataclass(frozen=True)
class Works:
    """Device work of a trace, sorted by start.

    Attributes:
        rows: event rows; start, end in ns.
        call: row of the outermost runtime call that launched it, UNKNOWN if none was recorded.
        asked: when it was launched, or at the latest (`_asked_before`) where no launch was recorded.
        stream: code of its (device, stream) pair.
        labels: (device, stream) of each code.
    """

    rows: Ints
    start: Ints
    end: Ints
    call: Ints
    asked: Ints
    stream: Ints
    labels: tuple[tuple[int, int], ...]

    def last_asked(self, stream: int, at: Ints) -> Ints:
        """For each time the work launched last before it on a stream, else UNKNOWN."""
        mine = np.flatnonzero(self.stream == stream)
        mine = mine[np.argsort(self.asked[mine], kind="stable")]
        if not len(mine):
            return np.full(len(at), UNKNOWN, np.int64)
        place = np.searchsorted(self.asked[mine], at, side="left") - 1
        return np.where(place >= 0, mine[np.maximum(place, 0)], UNKNOWN)

    def last_ended(self, stream: int, begin: Ints, end: Ints) -> Ints:
        """For each interval the work of a stream that ended last in it, launched before it."""
        mine = np.flatnonzero(self.stream == stream)
        mine = mine[np.argsort(self.end[mine], kind="stable")]
        place = np.searchsorted(self.end[mine], end, side="right") - 1
        work = mine[np.maximum(place, 0)]
        during = (place >= 0) & (self.end[work] > begin) & (self.asked[work] < begin)
        return np.where(during, work, UNKNOWN)


def device_works(events: Events, outer: Ints) -> Works:
    """All device work; `outer` maps each event row that is a runtime call to its outermost call."""
    rows = np.flatnonzero(events.of(DEVICE_WORK))
    calls = np.flatnonzero(events.of(RUNTIME))
    call = lookup(events.correlation[calls], calls, events.correlation[rows])
    call = np.where(call >= 0, outer[call], UNKNOWN)
    start = events.start[rows]
    asked = np.where(call >= 0, events.start[call], _asked_before(events, calls, rows))
    asked = np.minimum(asked, start)
    pairs, stream = np.unique(
        np.stack((events.pid[rows], events.tid[rows])), axis=1, return_inverse=True
    )
    labels = tuple((int(device), int(number)) for device, number in pairs.T)
    return Works(rows, start, events.end[rows], call, asked, stream.reshape(-1), labels)


_IN_ORDER = 0.99


def _asked_before(events: Events, calls: Ints, rows: Ints) -> Ints:
    """When these rows of device work had been launched at the latest, by their correlation alone.

    CUPTI and rocprofiler number calls in the order in which they are made: work was launched before
    any call with a higher number, even where its own launch lies before the recording. Where numbers
    do not rise with time in the trace itself, the start of the work is all that is known.
    """
    calls = calls[events.correlation[calls] > 0]
    numbers = events.correlation[calls]
    start = events.start[rows]
    if len(calls) < 2 or (np.diff(numbers) >= 0).mean() < _IN_ORDER:
        return start
    order = np.argsort(numbers, kind="stable")
    earliest = np.minimum.accumulate(events.start[calls[order]][::-1])[::-1]
    later = np.searchsorted(numbers[order], events.correlation[rows], side="right")
    known = (later < len(earliest)) & (events.correlation[rows] > 0)
    return np.where(known, earliest[np.minimum(later, len(earliest) - 1)] - 1, start)


def waiting_calls(events: Events) -> dict[str, Mask]:
    """Rows of runtime calls that wait by their nature, by what they wait for."""
    runtime = events.of(RUNTIME)
    kinds = {"stream": "streamsynchronize", "event": "eventsynchronize"}
    found = {kind: runtime & _containing(events, text) for kind, text in kinds.items()}
    device = _containing(events, "devicesynchronize") | _containing(events, "ctxsynchronize")
    return {**found, "device": runtime & device}


def host_waits(events: Events, works: Works) -> tuple[Ints, Ints]:
    """Pairs (row of the waiting call, index of the work it waited for).

    A call that waits for several streams has several pairs. A copy waits for itself when it
    touches pageable memory or its call is the blocking one, and it ended before the call did.
    """
    kinds = waiting_calls(events)
    pairs = [_own_copies(events, works)]
    pairs.append(_device_waits(events, works, np.flatnonzero(kinds["device"])))
    pairs.append(_stream_waits(events, works, np.flatnonzero(kinds["stream"])))
    pairs.append(_event_waits(events, works, np.flatnonzero(kinds["event"])))
    calls = np.concatenate([call for call, _ in pairs])
    return calls, np.concatenate([work for _, work in pairs])


def stream_waits(
    events: Events, works: Works, threads: Ints, window: tuple[int, int]
) -> tuple[Ints, Ints]:
    """Pairs (work awaited, work that waited) of a stream waiting for an event of another.

    The waiter is the next launch of the same thread (on the recorded stream, where Kineto
    recorded one); the awaited work is the one launched last before the event was recorded, on the
    stream of the event. Where that was not recorded: before the thread's latest event, on each
    other stream.
    """
    inside = events.of(RUNTIME) & (events.start >= window[0]) & (events.start < window[1])
    calls = np.flatnonzero(inside & _containing(events, "streamwaitevent"))
    records = np.flatnonzero(inside & _containing(events, "eventrecord"))
    stream = _recorded_stream(events, works, calls)
    source, asked = _recorded_event(events, works, calls)
    linked = np.flatnonzero(works.call >= 0)
    linked = linked[np.argsort(works.asked[linked], kind="stable")]
    lane = threads[works.call[linked]]
    awaited, waiter = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for thread, code in sorted(set(zip(threads[calls].tolist(), stream.tolist(), strict=True))):
        mine = linked[lane == thread] if code < 0 else linked[works.stream[linked] == code]
        ours = np.flatnonzero((threads[calls] == thread) & (stream == code))
        place = np.searchsorted(works.asked[mine], events.start[calls[ours]])
        ours, after = ours[place < len(mine)], mine[place[place < len(mine)]]
        own_records = records[threads[records] == thread]
        latest = _latest(events.start[own_records], events.start[calls[ours]])
        at = np.where(asked[ours] >= 0, asked[ours], latest)
        for other in range(len(works.labels)):
            before = works.last_asked(other, at)
            ended = (before >= 0) & (works.end[before] <= works.start[after])
            ended &= (works.stream[after] != other) & np.isin(source[ours], (UNKNOWN, other))
            awaited.append(before[ended])
            waiter.append(after[ended])
    return np.concatenate(awaited), np.concatenate(waiter)


def _recorded_event(events: Events, works: Works, calls: Ints) -> tuple[Ints, Ints]:
    """Stream code of the awaited event and when it was recorded; UNKNOWN where Kineto is silent."""
    rows = np.array([sync.row for sync in events.syncs], np.int64)
    found = lookup(events.correlation[rows], np.arange(len(rows)), events.correlation[calls])
    runtime = np.flatnonzero(events.of(RUNTIME))
    codes = {pair: code for code, pair in enumerate(works.labels)}
    source, asked = np.full((2, len(calls)), UNKNOWN, np.int64)
    for place in np.flatnonzero(found >= 0).tolist():
        sync = events.syncs[int(found[place])]
        if sync.on_stream is not None:
            device = int(events.pid[sync.row])
            source[place] = codes.get((device, sync.on_stream), UNKNOWN)
        asked[place] = UNKNOWN if sync.record is None else sync.record
    record = lookup(events.correlation[runtime], runtime, asked)
    return source, np.where(record >= 0, events.start[record], UNKNOWN)


def _latest(times: Ints, at: Ints) -> Ints:
    """For each time the latest of the sorted times not after it, else itself."""
    if not len(times):
        return at
    place = np.searchsorted(times, at, side="right") - 1
    return np.where(place >= 0, times[np.maximum(place, 0)], at)


def full_queues(works: Works) -> tuple[Ints, Ints]:
    """Pairs (row of a launch call, index of the work QUEUE launches before it on its stream)."""
    calls, freed = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for stream in range(len(works.labels)):
        mine = np.flatnonzero((works.stream == stream) & (works.call >= 0))
        mine = mine[np.lexsort((works.start[mine], works.call[mine]))]
        mine = mine[np.append(works.call[mine][1:] != works.call[mine][:-1], True)[: len(mine)]]
        if len(mine) > QUEUE:
            calls.append(works.call[mine[QUEUE:]])
            freed.append(mine[:-QUEUE])
    return np.concatenate(calls), np.concatenate(freed)


def _containing(events: Events, text: str) -> Mask:
    return events.named(name for name in events.names if text in name.lower())


def _own_copies(events: Events, works: Works) -> tuple[Ints, Ints]:
    linked = np.flatnonzero((works.call >= 0) & events.of(("gpu_memcpy",))[works.rows])
    call = works.call[linked]
    asynchronous = _containing(events, "async")[call]
    pageable = _containing(events, "pageable")[works.rows[linked]]
    waited = (pageable | ~asynchronous) & (works.end[linked] <= events.end[call])
    return call[waited], linked[waited]


def _device_waits(events: Events, works: Works, calls: Ints) -> tuple[Ints, Ints]:
    """Per stream the work launched last, or where that seems to end later what ended meanwhile.

    The clocks of host and device differ by a few µs, and a return so early is no other wait.
    """
    begin, end = events.start[calls], events.end[calls]
    found = [(calls[:0], calls[:0])]
    for stream in range(len(works.labels)):
        work = works.last_asked(stream, begin)
        late = (work >= 0) & (works.end[work] > end)
        work[late] = works.last_ended(stream, begin[late], end[late])
        found.append((calls[work >= 0], work[work >= 0]))
    call, work = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return call, work


def _stream_waits(events: Events, works: Works, calls: Ints) -> tuple[Ints, Ints]:
    """One work per call: of the recorded stream, else of the stream launched on last, else of any."""
    if not len(works.labels) or not len(calls):
        return calls[:0], calls[:0]
    at, until = events.start[calls], events.end[calls]
    choices = np.stack([works.last_asked(s, at) for s in range(len(works.labels))])
    agrees = (choices >= 0) & (works.end[choices] <= until)
    known = _recorded_stream(events, works, calls)
    latest = np.argmax(np.where(choices >= 0, works.asked[choices], np.int64(-1)), axis=0)
    column = np.arange(len(calls))
    wanted = np.where(known >= 0, known, latest)
    any_stream = np.argmax(np.where(agrees, works.end[choices], np.int64(-1)), axis=0)
    wanted = np.where(agrees[wanted, column] | (known >= 0), wanted, any_stream)
    found = agrees[wanted, column]
    return calls[found], choices[wanted, column][found]


def _event_waits(events: Events, works: Works, calls: Ints) -> tuple[Ints, Ints]:
    """The work that ended last before the wait did, if it ended while the call waited."""
    order = np.argsort(works.end, kind="stable")
    place = np.searchsorted(works.end[order], events.end[calls], side="right") - 1
    work = order[np.maximum(place, 0)] if len(order) else np.zeros(len(calls), np.int64)
    found = (place >= 0) & (events.dur[calls] >= _EVENT_WAIT_NS)
    found[found] = (works.end[work[found]] > events.start[calls[found]]) & (
        works.asked[work[found]] <= events.start[calls[found]]
    )
    return calls[found], work[found]


def _recorded_stream(events: Events, works: Works, calls: Ints) -> Ints:
    """Stream code of the device's own record of each call, UNKNOWN where there is none."""
    rows = np.array([sync.row for sync in events.syncs], np.int64)
    found = lookup(events.correlation[rows], np.arange(len(rows)), events.correlation[calls])
    codes = {pair: code for code, pair in enumerate(works.labels)}
    streams = []
    for place in found.tolist():
        stream = events.syncs[place].stream if place >= 0 else None
        device = int(events.pid[rows[place]]) if stream is not None else UNKNOWN
        streams.append(UNKNOWN if stream is None else codes.get((device, stream), UNKNOWN))
    return np.array(streams, np.int64)
