"""The meeting point of detectors and those who listen: detectors publish `Hit`s, sinks receive them.

`Evidence` is the sink of a capture: it counts hits by place, phase and step. Guards are other sinks.
Knows nothing of how a hit was found.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from perfkit.detectors.places import Place, is_installed, resolve
from perfkit.model.syncs import Direction, Phase, Sync


@dataclass(frozen=True)
class Hit:
    """One observation of a sync. Fields as in `model.syncs.Sync`; `place` is unresolved."""

    op: str
    kind: str
    direction: Direction
    place: Place
    detector: str
    count: int = 1
    certain: bool = True
    nbytes: int | None = None
    blocked_ns: int | None = None
    fix: str = ""
    backward: bool = False


Sink = Callable[[Hit], None]
_sinks: list[Sink] = []
_pid = os.getpid()


def publish(hit: Hit) -> None:
    """Hand a hit to every sink. Forked children (DataLoader workers) stay silent."""
    if os.getpid() == _pid:
        for sink in tuple(_sinks):
            sink(hit)


@contextmanager
def listening(sink: Sink) -> Iterator[None]:
    """Receive hits inside the block."""
    _sinks.append(sink)
    try:
        yield
    finally:
        _sinks.remove(sink)


_Key = tuple[Place, str, str, Direction, "Phase | None", bool, "int | None", str, str, "str | None"]


class Evidence:
    """A sink that counts hits by place, phase and step.

    Attributes:
        step: index of the running step; None during set-up.
        paused: while True hits are dropped (our own work between steps).
        in_forward: inside the outermost module's forward.
        region: innermost `perfkit.instrument` region.
    """

    def __init__(self) -> None:
        self.step: int | None = None
        self.paused = False
        self.in_forward = False
        self.region: str | None = None
        # [count, bytes or None, blocked_ns or None]; phase None is "after the forward, not yet known"
        self._tallies: dict[_Key, list[int | None]] = {}
        self._lock = threading.Lock()

    def __call__(self, hit: Hit) -> None:
        if self.paused:
            return
        phase: Phase | None = "backward" if hit.backward else "forward" if self.in_forward else None
        key = (
            hit.place,
            hit.op,
            hit.kind,
            hit.direction,
            phase,
            hit.certain,
            self.step,
            hit.fix,
            hit.detector,
            self.region,
        )
        with self._lock:
            tally = self._tallies.setdefault(key, [0, None, None])
            tally[0] = (tally[0] or 0) + hit.count
            tally[1] = _plus(tally[1], hit.nbytes)
            tally[2] = _plus(tally[2], hit.blocked_ns)

    def settle(self, phase: Phase) -> None:
        """Decide the phase of what was seen outside the module's forward since the last call.

        Called with "forward" when a backward starts (it was the loss) and with "other" when a
        step ends.
        """
        with self._lock:
            before, self._tallies = self._tallies, {}
            for key, tally in before.items():  # what was seen first stays first
                settled = key if key[4] is not None else (*key[:4], phase, *key[5:])
                into = self._tallies.setdefault(settled, [0, None, None])
                into[:] = [
                    (into[0] or 0) + (tally[0] or 0),
                    _plus(into[1], tally[1]),
                    _plus(into[2], tally[2]),
                ]

    def records(self) -> tuple[Sync, ...]:
        """Everything seen so far as plain data."""
        self.settle("other")
        with self._lock:
            items = list(self._tallies.items())
        return tuple(_record(key, tally) for key, tally in items)


def _record(key: _Key, tally: list[int | None]) -> Sync:
    place, op, kind, direction, phase, certain, step, fix, detector, region = key
    stack = resolve(place)
    caller = None
    if stack and is_installed(stack[0].file):
        caller = next((frame for frame in stack if not is_installed(frame.file)), None)
    return Sync(
        op=op,
        kind=kind,
        direction=direction,
        phase=phase or "other",
        stack=stack,
        step=step,
        count=tally[0] or 0,
        certain=certain,
        caller=caller,
        nbytes=tally[1],
        blocked_ns=tally[2],
        fix=fix,
        seen_by=(detector,),
        region=region,
    )


def _plus(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else a + b
