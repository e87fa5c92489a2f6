"""A device in software: streams that are processes, fed through bounded queues, really asynchronous.

Each stream is a worker process that takes commands from its own ring of 1,024 entries (as many as a
CUDA stream is seen to hold) in shared memory, one after the other. The host puts commands in and goes
on; it blocks where the ring is full, and where it asks for a wait. What a kernel does is to last: the
worker sleeps, and spins for the last 30 µs, until the kernel's time is over, so that device work takes
no core from the host and two cores suffice. When a command starts, when the host wakes up and how far
either runs ahead is up to the operating system; nothing here computes a timeline.

Both sides look at counters in shared memory and sleep a little between two looks, as a GPU polls its
queue and CUDA by default polls for the end of a wait: putting a command in costs the same whether the
stream sleeps or works.

Real: the queues, the order on a stream, waits, how late either side notices, the host's own cost of
every call, the noise of the machine. Not real: the kernels' work, and every constant (a launch reaches
an idle stream in 10 to 40 µs here, in some 5 µs on a GPU). It says nothing about CUDA.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any

QUEUE = 1024
STREAMS = 2
_SLOTS, _WIDTH = 2048, 5
_LOGGED, _COLUMNS = 1 << 16, 4
_GRAPH_SLOTS = 1 << 12
_STOP, _KERNEL, _GRAPH, _MARK, _AWAIT = range(5)
_SPIN_NS = 30_000
_POLL_S, _IDLE_POLL_S = 5e-6, 1e-3
_IDLE_AFTER_NS = 200_000_000
_LOOK_AROUND = 10_000
_PATIENCE_S = 5.0
_PR_SET_TIMERSLACK = 29


@dataclass(frozen=True)
class Done:
    """One kernel or copy that ran: `[start_ns, end_ns)` on the clock of `time.perf_counter_ns`."""

    stream: int
    name: int
    correlation: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Event:
    """A place in a stream's queue."""

    stream: int
    place: int


class _Shared:
    """What host and streams both see: commands, and how many of them each stream has passed."""

    def __init__(self, context: Any) -> None:
        self.ring = [context.RawArray("q", _SLOTS * _WIDTH) for _ in range(STREAMS)]
        self.log = [context.RawArray("q", _LOGGED * _COLUMNS) for _ in range(STREAMS)]
        self.graphs = context.RawArray("q", _GRAPH_SLOTS * 2)
        self.passed = context.RawArray("q", STREAMS)
        self.logged = context.RawArray("q", STREAMS)
        self.ready = [context.Semaphore(0) for _ in range(STREAMS)]
        self.room = [context.Semaphore(QUEUE) for _ in range(STREAMS)]


def _punctual() -> None:
    """Linux: wake this thread when its sleep is over, not up to 50 µs later."""
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def _looked_for(condition: Callable[[], bool], alive: Callable[[], bool]) -> None:
    """Returns when the condition holds.

    Raises:
        RuntimeError: the other side died meanwhile.
    """
    looks = 0
    began = time.perf_counter_ns()
    while not condition():
        looks += 1
        idle = time.perf_counter_ns() - began > _IDLE_AFTER_NS
        time.sleep(_IDLE_POLL_S if idle else _POLL_S)
        if looks % _LOOK_AROUND == 0 and not alive():
            raise RuntimeError("the other side of the software device died")


def _stream(number: int, shared: _Shared, parent: int) -> None:
    """The life of one stream, until it is told to stop or nobody is left to tell it."""
    _punctual()
    ring, room, passed = shared.ring[number], shared.room[number], shared.passed
    asked = partial(shared.ready[number].acquire, False)

    def alive() -> bool:
        return os.getppid() == parent

    at = 0
    while True:
        try:
            _looked_for(asked, alive)
        except RuntimeError:
            return
        slot = (at % _SLOTS) * _WIDTH
        command, name, correlation, first, second = ring[slot : slot + _WIDTH]
        if command == _STOP:
            return
        if command == _KERNEL:
            _run(number, shared, name, correlation, first)
        elif command == _GRAPH:
            for place in range(first, first + second):
                _run(number, shared, *_of_graph(shared, place, correlation))
        elif command == _AWAIT:
            _looked_for(partial(_has_passed, passed, first, second), alive)
        at += 1
        passed[number] = at
        room.release()


def _has_passed(passed: Any, stream: int, place: int) -> bool:
    return bool(passed[stream] >= place)


def _of_graph(shared: _Shared, place: int, correlation: int) -> tuple[int, int, int]:
    return shared.graphs[2 * place], correlation, shared.graphs[2 * place + 1]


def _run(number: int, shared: _Shared, name: int, correlation: int, dur: int) -> None:
    start = time.perf_counter_ns()
    until = start + dur
    if dur > 2 * _SPIN_NS:
        time.sleep((dur - _SPIN_NS) / 1e9)
    end = time.perf_counter_ns()
    while end < until:
        end = time.perf_counter_ns()
    row = shared.logged[number]
    place = (row % _LOGGED) * _COLUMNS
    shared.log[number][place : place + _COLUMNS] = (name, correlation, start, end)
    shared.logged[number] = row + 1


class QueueDevice:
    """The host's side of the device; one thread uses it. Durations in ns; names are numbers."""

    def __init__(self) -> None:
        _punctual()
        context = multiprocessing.get_context("spawn")
        self._shared = _Shared(context)
        self._issued = [0] * STREAMS
        self._graphs_used = 0
        self._workers: list[BaseProcess] = []
        for number in range(STREAMS):
            about = (number, self._shared, os.getpid())
            worker = context.Process(target=_stream, args=about, daemon=True)
            worker.start()
            self._workers.append(worker)

    def __enter__(self) -> QueueDevice:
        for stream in range(STREAMS):
            self.synchronise(stream)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stream, worker in enumerate(self._workers):
            if kind is None:
                self._put(stream, _STOP)
                worker.join(_PATIENCE_S)
            worker.terminate()
            worker.join()

    def kernel(self, stream: int, name: int, correlation: int, dur_ns: int) -> None:
        """One kernel, or one copy that nobody waits for."""
        self._put(stream, _KERNEL, name, correlation, dur_ns)

    def captured(self, kernels: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """A graph of (name, duration) kernels in a row, to be launched as one."""
        first = self._graphs_used
        for place, (name, dur_ns) in enumerate(kernels, first):
            self._shared.graphs[2 * place : 2 * place + 2] = (name, dur_ns)
        self._graphs_used += len(kernels)
        return first, len(kernels)

    def graph(self, stream: int, correlation: int, graph: tuple[int, int]) -> None:
        """All kernels of a graph, as one entry of the queue."""
        self._put(stream, _GRAPH, 0, correlation, *graph)

    def record(self, stream: int) -> Event:
        """An event behind all that was put into the stream so far."""
        self._put(stream, _MARK)
        return Event(stream, self._issued[stream])

    def stream_waits(self, stream: int, event: Event) -> None:
        """What follows on the stream starts after the event."""
        self._put(stream, _AWAIT, 0, 0, event.stream, event.place)

    def host_waits(self, event: Event) -> None:
        """Returns when the stream has passed the event.

        Raises:
            RuntimeError: the stream's process died.
        """
        passed = partial(_has_passed, self._shared.passed, event.stream, event.place)
        _looked_for(passed, self._workers[event.stream].is_alive)

    def synchronise(self, stream: int) -> None:
        """Returns when the stream is empty."""
        self.host_waits(Event(stream, self._issued[stream]))

    def drained(self) -> list[Done]:
        """What ran since the last time, after waiting for all of it."""
        found = []
        for stream in range(STREAMS):
            self.synchronise(stream)
            log, count = self._shared.log[stream], self._shared.logged[stream]
            if count > _LOGGED:
                raise RuntimeError(f"more than {_LOGGED} kernels since the log was read")
            for place in range(0, count * _COLUMNS, _COLUMNS):
                found.append(Done(stream, *log[place : place + _COLUMNS]))
            self._shared.logged[stream] = 0
        return found

    def _put(self, stream: int, command: int, *values: int) -> None:
        shared = self._shared
        if not shared.room[stream].acquire(False):
            _looked_for(partial(shared.room[stream].acquire, False), self._workers[stream].is_alive)
        slot = (self._issued[stream] % _SLOTS) * _WIDTH
        entry = (command, *values, 0, 0, 0, 0)[:_WIDTH]
        shared.ring[stream][slot : slot + _WIDTH] = entry
        self._issued[stream] += 1
        shared.ready[stream].release()
