"""Timelines of one host thread and its device streams: drawn, or made by a simulator.

    drawn(host="..LL..LL...SSSSSSS..", s7="....kkkk.kkkkk")

One character is one microsecond. On the host `.` is Python, `o` an operator (its calls may lie
inside: `oLLo`), a run of `L` a launch, `C` an asynchronous copy call, `P` a copy call that touches
pageable memory, `S` a stream wait, `D` a device wait, `E` an event record, `V` a stream's wait for
it, `a` another runtime call. On a stream a run of letters is one piece of work: `k` a kernel, `c` a
copy, `n` a NCCL kernel, `.` nothing. Launches and work are matched in order of start.

`simulate` computes such a timeline from a program with fixed costs. What it makes is simulated and
never a measurement: it serves to hold the replay against a model of the same machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from perfkit.model.events import UNKNOWN, Events
from tests.kineto_traces import Event, launch, on_device, span

US = 1_000
LAUNCH_US, GAP_US, WAKE_US, WAIT_CALL_US, QUEUE = 5, 1, 5, 2, 1024

_CALLS = {
    "L": "cudaLaunchKernel",
    "C": "cudaMemcpyAsync",
    "P": "cudaMemcpyAsync",
    "S": "cudaStreamSynchronize",
    "D": "cudaDeviceSynchronize",
    "E": "cudaEventRecord",
    "V": "cudaStreamWaitEvent",
    "a": "cudaFuncGetAttributes",
}
_WORK = {
    "k": ("kernel", "gemm"),
    "n": ("kernel", "ncclDevKernel_AllReduce"),
    "c": ("gpu_memcpy", "Memcpy HtoD (Pinned -> Device)"),
    "p": ("gpu_memcpy", "Memcpy DtoH (Device -> Pageable)"),
}


@dataclass
class Row:
    """One interval, in µs; `lane` is the thread or the stream."""

    category: str
    name: str
    start: int
    dur: int
    lane: int
    correlation: int = UNKNOWN


def drawn(host: str, steps: str = "", **lanes: str) -> Events:
    """The timeline in the picture; lanes are streams (`s7`) or further threads (`t2`)."""
    rows = _host(host, 1)
    for name, cells in lanes.items():
        if name[0] == "t":
            rows += _host(cells, int(name[1:]))
    calls = sorted((r for r in rows if r.name in {_CALLS[c] for c in "LCP"}), key=_at)
    work: list[Row] = []
    for name, cells in lanes.items():
        if name[0] == "s":
            work += [
                Row(*_WORK[letter], at, width, int(name[1:])) for letter, at, width in _runs(cells)
            ]
    for number, (call, piece) in enumerate(zip(calls, sorted(work, key=_at), strict=False), 1):
        call.correlation = piece.correlation = number
    for number, (_, at, width) in enumerate(_runs(steps)):
        rows.append(Row("user_annotation", f"ProfilerStep#{number}", at, width, 1))
    return as_events(rows + work)


def _at(row: Row) -> int:
    return row.start


def _runs(cells: str) -> list[tuple[str, int, int]]:
    found, at = [], 0
    for letter, group in groupby(cells):
        width = len(list(group))
        if letter != ".":
            found.append((letter, at, width))
        at += width
    return found


def _host(cells: str, thread: int) -> list[Row]:
    rows = [
        Row("cuda_runtime", _CALLS[letter], at, width, thread)
        for letter, at, width in _runs(cells)
        if letter != "o"
    ]
    solid = "".join("o" if c == "o" else "." if c == "." else "x" for c in cells)
    at = 0
    for part, group in groupby(solid, key=lambda c: c != "."):
        width = len(list(group))
        if part and "o" in solid[at : at + width]:
            rows.append(Row("cpu_op", "aten::op", at, width, thread))
        at += width
    return rows


def as_events(rows: Sequence[Row]) -> Events:
    """The rows as a trace that has been read."""
    rows = sorted(rows, key=lambda r: (r.start, -r.dur))
    names = tuple(dict.fromkeys(r.name for r in rows))
    categories = tuple(dict.fromkeys(r.category for r in rows))
    count = len(rows)
    device = [r.category in ("kernel", "gpu_memcpy") for r in rows]

    def column(values: list[int]) -> np.ndarray:
        return np.array(values, np.int64)

    nothing = np.full(count, UNKNOWN, np.int64)
    return Events(
        names=names,
        categories=categories,
        stacks=(),
        start=column([r.start * US for r in rows]),
        dur=column([r.dur * US for r in rows]),
        name=column([names.index(r.name) for r in rows]),
        cat=column([categories.index(r.category) for r in rows]),
        stack=nothing,
        pid=column([0 if on else 4242 for on in device]),
        tid=column([r.lane for r in rows]),
        correlation=column([r.correlation for r in rows]),
        external=nothing,
        nbytes=nothing,
        order=np.arange(count),
    )


def as_trace(rows: Sequence[Row]) -> list[Event]:
    """The rows in the form in which Kineto writes them."""
    work = {r.correlation: r for r in rows if r.category in ("kernel", "gpu_memcpy")}
    written: list[Event] = []
    for row in rows:
        plain = span(row.category, row.name, row.start, row.dur)
        if row.category == "cuda_runtime" and row.correlation in work:
            done = work[row.correlation]
            piece = on_device(done.category, done.name, done.start, done.dur)
            written += launch(plain, piece, row.correlation, None)
        elif row.category not in ("kernel", "gpu_memcpy"):
            written.append(plain)
    return written


@dataclass
class Simulator:
    """A host and the queue of one stream, with fixed costs in µs.

    A kernel starts LAUNCH_US after its call began and GAP_US after the kernel before it; a wait
    returns WAKE_US after the awaited work, a launch not before the queue has room.
    """

    now: int = 0
    rows: list[Row] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def python(self, us: int) -> None:
        self.now += us

    def op(self, us: int, name: str = "aten::op") -> None:
        self.rows.append(Row("cpu_op", name, self.now, us, 1))
        self.now += us

    def kernel(self, call_us: int, us: int) -> None:
        self._submit("cudaLaunchKernel", call_us, "kernel", "gemm", us)
        if len(self.ends) > QUEUE:
            self.now = max(self.now, self.ends[-1 - QUEUE])
            self._last_call().dur = self.now - self._last_call().start

    def wait(self, waits: bool = True) -> None:
        """A stream wait; or what is left of its call when it no longer waits."""
        start, awaited = self.now, self.ends[-1] if self.ends else 0
        self.now += WAIT_CALL_US
        if waits and awaited > start:
            self.now = max(self.now, awaited + WAKE_US)
        name = "cudaStreamSynchronize" if waits else "cudaEventRecord"
        self.rows.append(Row("cuda_runtime", name, start, self.now - start, 1))

    def read(self, waits: bool = True) -> None:
        """`.item()`: a copy to pageable memory that waits for itself, then a stream wait.

        Without them there is no number, and so nothing at all.
        """
        if not waits:
            return
        start = self.now
        name = "Memcpy DtoH (Device -> Pageable)"
        self._submit("cudaMemcpyAsync", WAIT_CALL_US, "gpu_memcpy", name, 2)
        self.now = max(self.now, self.ends[-1] + WAKE_US)
        self._last_call().dur = self.now - start
        self.wait()
        self.rows.append(Row("cpu_op", "aten::item", start, self.now - start, 1))

    def step(self, begin: int) -> None:
        """Mark everything since `begin` as one step."""
        number = sum(r.category == "user_annotation" for r in self.rows)
        name = f"ProfilerStep#{number}"
        self.rows.append(Row("user_annotation", name, begin, self.now - begin, 1))

    @property
    def span(self) -> int:
        """µs until host and device are done."""
        return max([self.now, *self.ends])

    def _submit(self, call: str, call_us: int, category: str, name: str, us: int) -> None:
        number = len(self.ends) + 1
        start = self.now + LAUNCH_US
        if self.ends:
            start = max(start, self.ends[-1] + GAP_US)
        self.rows.append(Row("cuda_runtime", call, self.now, call_us, 1, number))
        self.rows.append(Row(category, name, start, us, 7, number))
        self.ends.append(start + us)
        self.now += call_us

    def _last_call(self) -> Row:
        return next(r for r in reversed(self.rows) if r.category == "cuda_runtime")


Command = tuple[str, int, int]
"""(`python`, µs, 0), (`op`, µs, 0), (`kernel`, µs of the call, µs), (`wait` or `read`, 0, 0)."""


def simulate(program: Sequence[Command], waits: bool = True) -> Simulator:
    """The program's timeline, one step; `waits=False`: the same program without any wait."""
    machine = Simulator()
    for what, first, second in program:
        if what == "kernel":
            machine.kernel(first, second)
        elif what in ("wait", "read"):
            getattr(machine, what)(waits)
        else:
            getattr(machine, what)(first)
    machine.step(0)
    return machine
