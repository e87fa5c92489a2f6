"""A thread that looks at the machine 10 to 100 times a second while a program runs.

Both clocks are kept: samples carry `time.monotonic_ns`, which steps use, and the distance to the wall
clock, which Kineto's traces use. Its memory is bounded, and its own CPU time measured and told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from perfkit.capture._sample_ring import Ring
from perfkit.model.run import Gap
from perfkit.model.samples import Samples

MOST_BYTES = 16 << 20
"""Of one source: an hour of a device at 20 Hz, before the rate halves."""
_SECOND = 1_000_000_000
_LATE_NS = 5_000_000
_LATE_SHARE = 0.05
_MOVED_NS = 1_000_000
_PATIENCE_S = 2.0


class Source(Protocol):
    """Something to be sampled. `read` returns what is known now, and raises nothing."""

    subject: str
    units: Mapping[str, str]

    def identity(self) -> Mapping[str, str]: ...

    def read(self, now_ns: int) -> Mapping[str, float]: ...

    def unavailable(self) -> tuple[Gap, ...]: ...

    def close(self) -> None: ...


Found = tuple[Sequence[Source], Sequence[Gap]]


class Sampler:
    """Samples the sources that `find` opens, from `start` to `stop`.

    `find` runs in the sampler's own thread, so that a slow driver holds nobody up; the gaps it returns
    are told with the first source.
    """

    def __init__(
        self, find: Callable[[], Found], hertz: float = 20.0, most_bytes: int = MOST_BYTES
    ) -> None:
        if not 0 < hertz <= 100:
            raise ValueError(f"{hertz} samples per second: choose 100 or fewer")
        self.hertz = hertz
        self._find = find
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._sources: list[_Taken] = []
        self._gaps: tuple[Gap, ...] = ()
        self._offset = 0
        self._crashed = False

    def start(self) -> None:
        """Begin. A sampler starts once."""
        self._offset = wall_offset()
        self._thread = threading.Thread(target=self._loop, name="perfkit sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what was sampled stays. Safe to call twice, and before `start`."""
        self._ended.set()
        thread, self._thread = self._thread, None
        if thread is None or thread is threading.current_thread():
            return
        thread.join(_PATIENCE_S)
        if thread.is_alive():
            why = f"a reading did not return within {_PATIENCE_S:g} s of the end"
            self._gaps = (*self._gaps, Gap("the last samples", why))

    def samples(self) -> tuple[Samples, ...]:
        """What was sampled so far, a subject each."""
        moved = wall_offset() - self._offset
        gaps = list(self._gaps)
        if self._sources and abs(moved) > _MOVED_NS:
            why = f"the wall clock was set by {moved / 1e6:+.1f} ms while samples were taken"
            gaps.append(Gap("the place of samples in the trace", why))
        if self._crashed:
            gaps.append(Gap("later samples", "the sampler ended by an error of its own"))
        with self._lock:
            return tuple(
                each.samples(self._offset, self.hertz, gaps if index == 0 else [])
                for index, each in enumerate(self._sources)
            )

    def last(self) -> dict[str, Mapping[str, float]]:
        """The latest value of each quantity by subject, for a live view."""
        with self._lock:
            return {each.source.subject: dict(each.latest) for each in self._sources}

    def _loop(self) -> None:
        crashed = True
        try:
            self._sample()
            crashed = False
        finally:
            self._crashed = crashed
            for each in self._sources:
                each.source.close()

    def _sample(self) -> None:
        began = time.thread_time_ns()
        sources, gaps = self._find()
        with self._lock:
            self._gaps = (*gaps, *self._gaps)
            self._sources = [_Taken(source, self._most_bytes) for source in sources]
        if not self._sources:
            return
        period = round(_SECOND / self.hertz)
        due = time.monotonic_ns()
        while True:
            slower = False
            for each in self._sources:
                slower |= each.take(self._lock)
            if slower:
                period *= 2
            self._sources[0].account(began, self._sources)
            due, now = due + period, time.monotonic_ns()
            if due <= now:  # what was missed is not made up for
                due = now + period
            if self._ended.wait((due - now) / _SECOND):
                return


class _Taken:
    """One source and what it told."""

    def __init__(self, source: Source, most_bytes: int) -> None:
        self.source = source
        self.latest: dict[str, float] = {}
        self.cost_ns = 0
        self._ring = Ring(source.units, most_bytes)
        self._identity = dict(source.identity())
        self._readings = self._late = self._worst_ns = 0

    def take(self, lock: threading.Lock) -> bool:
        """One reading; True where memory was full and the rate must halve."""
        cpu, now = time.thread_time_ns(), time.monotonic_ns()
        values = self.source.read(now)
        took = time.monotonic_ns() - now
        with lock:
            self._readings += 1
            self._late += took > _LATE_NS
            self._worst_ns = max(self._worst_ns, took)
            self.latest |= values
            halved = self._ring.add(now, values)
            self.cost_ns += time.thread_time_ns() - cpu
        return halved

    def account(self, began: int, everyone: Sequence[_Taken]) -> None:
        """Take on what the thread spent besides the others' readings."""
        others = sum(each.cost_ns for each in everyone if each is not self)
        self.cost_ns = time.thread_time_ns() - began - others

    def samples(self, offset: int, hertz: float, gaps: Sequence[Gap]) -> Samples:
        moments, series = self._ring.taken()
        return Samples(
            subject=self.source.subject,
            time=moments,
            wall_offset_ns=offset,
            series=series,
            identity=self._identity,
            unavailable=(*gaps, *self.source.unavailable(), *self._own_gaps(hertz)),
            hertz=hertz,
            cost_ns=self.cost_ns,
        )

    def _own_gaps(self, hertz: float) -> list[Gap]:
        gaps = []
        if self._ring.halved:
            rate = hertz / 2**self._ring.halved
            why = f"memory for {self._ring.capacity} samples was full: {rate:g} per second are kept"
            gaps.append(Gap("some samples", why))
        if self._late > _LATE_SHARE * self._readings:
            why = (
                f"{self._late} of {self._readings} readings took longer than 5 ms (at most "
                f"{self._worst_ns / 1e6:.0f} ms): the program held the interpreter, or a driver was slow"
            )
            gaps.append(Gap("the exact moments of samples", why))
        return gaps


def wall_offset() -> int:
    """Wall clock minus monotonic clock, ns: the tightest of some readings."""
    best: tuple[int, int] | None = None
    for _ in range(5):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        found = (after - before, wall - (before + after) // 2)
        best = found if best is None or found < best else best
    assert best is not None
    return best[1]
