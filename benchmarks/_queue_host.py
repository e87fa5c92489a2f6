"""What a program on the software device calls, and the trace of what then happened.

Each call does its host work for real (a fixed number of turns of a Python loop, calibrated once) and
is recorded with the time it took, under the names that CUDA and PyTorch use, so that the trace reads
like one that Kineto wrote.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks._queue_device import Event, QueueDevice

MAIN, SIDE = 0, 1
"""The stream that computes, and another beside it."""

_STREAM_IDS = (7, 20)
_PROCESS = 4242
_COPY_NS = 2_000
_SLICE = 100_000
_REST_S = 0.02
"""A rest before measuring: whoever slept is less likely to lose the core in the next 20 ms."""

Program = Callable[["Host"], None]
Kernels = Sequence[tuple[str, float]]
"""(Name, µs) of kernels launched one after the other."""


@lru_cache(maxsize=1)
def turns_per_us() -> float:
    """Turns of the loop that host work is made of, per µs, at this machine's best."""
    best = min(_timed(_SLICE) for _ in range(30))
    return _SLICE * 1e3 / best


def _timed(turns: int) -> int:
    start = time.perf_counter_ns()
    _work(turns)
    return time.perf_counter_ns() - start


def _work(turns: int) -> None:
    for _ in range(turns):
        pass


class Host:
    """One program's calls and marks on one thread."""

    def __init__(self, device: QueueDevice) -> None:
        self.device = device
        self.begun = time.perf_counter_ns()
        self._names: dict[str, int] = {}
        self._rows: list[tuple[str, str, int, int, int]] = []
        self._kept: dict[str, Any] = {}
        self._correlation = 0

    def python(self, us: float) -> None:
        """Host work outside any operator."""
        _work(int(us * turns_per_us()))

    def op(self, name: str, us: float, kernels: Kernels = (), stream: int = MAIN) -> None:
        """An operator: host work, then its launches."""
        with self.span("cpu_op", name):
            self.python(us)
            for kernel, device_us in kernels:
                self.launch("cudaLaunchKernel", kernel, int(device_us * 1e3), stream)

    def read(self, name: str, us: float = 5) -> None:
        """A value read by the host: a small copy and the wait for it."""
        with self.span("cpu_op", name):
            self.python(us)
            self.launch("cudaMemcpyAsync", "Memcpy DtoH (Device -> Pinned)", _COPY_NS, MAIN)
            with self.span("cuda_runtime", "cudaStreamSynchronize"):
                self.device.synchronise(MAIN)

    def copy(self, us: float, pageable: bool, stream: int = MAIN) -> None:
        """A batch to the device; from pageable memory the call returns when it has arrived."""
        source = "Pageable" if pageable else "Pinned"
        with self.span("cpu_op", "aten::copy_"):
            self.python(5)
            number = self._next()
            with self.span("cuda_runtime", "cudaMemcpyAsync", number):
                name = self._code(f"Memcpy HtoD ({source} -> Device)")
                self.device.kernel(stream, name, number, int(us * 1e3))
                if pageable:
                    self.device.synchronise(stream)

    def launch(self, call: str, name: str, dur_ns: int, stream: int) -> None:
        number = self._next()
        with self.span("cuda_runtime", call, number):
            self.device.kernel(stream, self._code(name), number, dur_ns)

    def record(self, stream: int) -> Event:
        with self.span("cuda_runtime", "cudaEventRecord"):
            return self.device.record(stream)

    def stream_waits(self, stream: int, event: Event) -> None:
        with self.span("cuda_runtime", "cudaStreamWaitEvent"):
            self.device.stream_waits(stream, event)

    def host_waits(self, event: Event) -> None:
        with self.span("cuda_runtime", "cudaEventSynchronize"):
            self.device.host_waits(event)

    def graph(self, name: str, kernels: Kernels) -> None:
        """Launches these kernels as one graph, captured when first asked for."""
        captured = self.kept(
            name,
            lambda: self.device.captured([(self._code(k), int(us * 1e3)) for k, us in kernels]),
        )
        number = self._next()
        with self.span("cuda_runtime", "cudaGraphLaunch", number):
            self.device.graph(MAIN, number, captured)

    def kept(self, name: str, made: Callable[[], Any]) -> Any:
        """What the program keeps between its steps."""
        if name not in self._kept:
            self._kept[name] = made()
        return self._kept[name]

    def keep(self, name: str, value: Any) -> Any:
        """Keeps a value and gives the one kept before it, or None."""
        before = self._kept.get(name)
        self._kept[name] = value
        return before

    @contextmanager
    def span(self, category: str, name: str, correlation: int = 0) -> Iterator[None]:
        start = time.perf_counter_ns()
        yield
        self._rows.append((category, name, start, time.perf_counter_ns(), correlation))

    def recorded(self) -> list[dict[str, Any]]:
        """Everything since `forget`, as Kineto's events; waits for the device."""
        names = {code: name for name, code in self._names.items()}
        work = [
            self._event(
                "gpu_memcpy" if names[done.name].startswith("Memcpy") else "kernel",
                names[done.name],
                (done.start_ns, done.end_ns),
                done.correlation,
                (0, _STREAM_IDS[done.stream]),
            )
            for done in self.device.drained()
        ]
        host = [
            self._event(category, name, (start, end), number, (_PROCESS, _PROCESS))
            for category, name, start, end, number in self._rows
        ]
        return host + work

    def forget(self) -> None:
        """Drops what was recorded so far, and waits for the device as a profiler does at its start."""
        self.device.drained()
        self._rows.clear()

    def _event(
        self, category: str, name: str, when: tuple[int, int], number: int, place: tuple[int, int]
    ) -> dict[str, Any]:
        start, end = when
        event = {"ph": "X", "cat": category, "name": name, "pid": place[0], "tid": place[1]}
        args: dict[str, Any] = {"correlation": number} if number else {}
        if category in ("kernel", "gpu_memcpy"):
            args |= {"device": place[0], "stream": place[1]}
        times = {"ts": round((start - self.begun) / 1e3, 3), "dur": round((end - start) / 1e3, 3)}
        return {**event, **times, "args": args}

    def _next(self) -> int:
        self._correlation += 1
        return self._correlation

    def _code(self, name: str) -> int:
        return self._names.setdefault(name, len(self._names))


def captured(device: QueueDevice, program: Program, steps: int) -> tuple[int, list[dict[str, Any]]]:
    """Runs a program for warm-up and then `steps` recorded steps.

    Returns:
        ns from the start of the first step to the end of the last thing recorded; all events.
    """
    host = Host(device)
    for _ in range(2):
        program(host)
    host.forget()
    time.sleep(_REST_S)
    for number in range(steps):
        with host.span("user_annotation", f"ProfilerStep#{number}"):
            program(host)
    events = host.recorded()
    begun = min(event["ts"] for event in events)
    return round(1e3 * (max(event["ts"] + event["dur"] for event in events) - begun)), events


def written(events: list[dict[str, Any]], target: Path) -> None:
    """The events as a compressed trace."""
    about = {"name": "software device of benchmarks/what_if.py", "id": 0}
    trace = {"schemaVersion": 1, "deviceProperties": [about], "traceEvents": events}
    text = json.dumps(trace, separators=(",", ":")).encode()
    target.write_bytes(gzip.compress(text, 9, mtime=0))
