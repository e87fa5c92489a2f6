"""Host-device synchronisations as a trace shows them: runtime calls that wait, joined to their cause.

A wait is a call that waits by its nature (stream, device, event), or a copy that touches pageable
memory and returned only after the device had finished it. A pinned or device-to-device copy is none,
however long its call took; neither are the profiler's own waits outside the steps.
Knows host waits only: how long the device then had nothing to do is for an analysis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from perfkit.io._nesting import parents_among
from perfkit.io.trace_frames import PYTHON, user_frames
from perfkit.model.events import ANNOTATIONS, HOST_OPS, RUNTIME, UNKNOWN, Events, Ints, Mask
from perfkit.model.syncs import Direction, Frame, Phase, Sync

DETECTOR = "trace"

_WAITS = {
    "cudaStreamSynchronize": "torch.cuda.Stream.synchronize",
    "cudaDeviceSynchronize": "torch.cuda.synchronize",
    "cudaEventSynchronize": "torch.cuda.Event.synchronize",
    "cudaStreamSynchronize_ptsz": "torch.cuda.Stream.synchronize",
    "cuStreamSynchronize": "torch.cuda.Stream.synchronize",
    "cuCtxSynchronize": "torch.cuda.synchronize",
    "cuEventSynchronize": "torch.cuda.Event.synchronize",
    "hipStreamSynchronize": "torch.cuda.Stream.synchronize",
    "hipDeviceSynchronize": "torch.cuda.synchronize",
    "hipEventSynchronize": "torch.cuda.Event.synchronize",
}
_BLOCKING_COPIES = (
    "cudaMemcpy",
    "cudaMemcpy2D",
    "cuMemcpyDtoH_v2",
    "cuMemcpyHtoD_v2",
    "hipMemcpy",
    "hipMemcpyWithStream",  # ROCm's way to copy and wait: there is no separate stream wait
)
_ASYNC_COPIES = (
    "cudaMemcpyAsync",
    "cudaMemcpy2DAsync",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "hipMemcpyAsync",
)
_CAUSES = {
    "aten::_local_scalar_dense": "item",
    "aten::item": "item",
    "aten::nonzero": "nonzero",
    "aten::index": "mask_index",
    "aten::index_put_": "mask_index",
    "aten::_index_put_impl_": "mask_index",
    "aten::masked_select": "masked_select",
    "aten::repeat_interleave": "repeat_interleave",
    "aten::_unique2": "unique",
    "aten::unique_dim": "unique",
    "aten::unique_consecutive": "unique",
    "aten::bincount": "bincount",
    "aten::histc": "histc",
    "aten::equal": "equal",
    "aten::multinomial": "multinomial",
    "aten::nanmedian": "nanmedian",
    "aten::_coalesce": "coalesce",
}
"""Operators that wait inside, and their catalogue page; the outermost around a wait is its cause."""

_PROFILER = "torch/autograd/profiler.py"
_BACKWARD = "autograd::engine::evaluate_function"


@dataclass(frozen=True)
class Wait:
    """All waits of one operator call.

    Attributes:
        call: name of the runtime call that waited first.
        row: its row; begin_ns: start of the operator around it, or its own without one.
        start_ns, end_ns: start of the first wait and end of the last.
        op, kind, direction, phase, stack, step, nbytes: as in `Sync`.
        count: explicit waits, at least one; blocked_ns: how long they took together.
    """

    call: str
    row: int
    begin_ns: int
    start_ns: int
    end_ns: int
    op: str
    kind: str
    direction: Direction
    phase: Phase
    stack: tuple[Frame, ...]
    step: int | None
    count: int
    nbytes: int | None
    blocked_ns: int


def trace_syncs(events: Events) -> tuple[Sync, ...]:
    """Every wait of the host, grouped by cause, place and step; `seen_by` is ("trace",).

    Where the trace has no Python frames `stack` is empty. A frame from a `python_function` event
    bears the line of its `def`, one from a "Call stack" argument the line of the statement.
    """
    groups: dict[tuple[object, ...], list[Wait]] = defaultdict(list)
    for wait in trace_waits(events):
        key = (wait.op, wait.kind, wait.direction, wait.phase, wait.stack, wait.step)
        groups[key].append(wait)
    return tuple(one_sync(group) for group in groups.values())


def trace_waits(events: Events) -> tuple[Wait, ...]:
    """Every wait of the host on its own, in the order of the operators; the profiler's own left out."""
    copies = _Copies(events)
    waits = _waiting(events, copies)
    return tuple(_Reader(events, waits, copies).waits()) if waits.any() else ()


def waiting_calls(events: Events) -> Mask:
    """Which rows are runtime calls in which the host waited for the device."""
    return _waiting(events, _Copies(events))


def one_sync(group: Sequence[Wait]) -> Sync:
    """Waits of one cause at one place in one step as one record."""
    first = group[0]
    sizes = [wait.nbytes for wait in group if wait.nbytes is not None]
    return Sync(
        op=first.op,
        kind=first.kind,
        direction=first.direction,
        phase=first.phase,
        stack=first.stack,
        step=first.step,
        count=sum(wait.count for wait in group),
        nbytes=sum(sizes) if sizes else None,
        blocked_ns=sum(wait.blocked_ns for wait in group),
        seen_by=(DETECTOR,),
    )


class _Copies:
    """The device's copies, found by the correlation of the call that launched them."""

    def __init__(self, events: Events) -> None:
        rows = np.flatnonzero(events.of(("gpu_memcpy",)) & (events.correlation >= 0))
        by_correlation = np.argsort(events.correlation[rows], kind="stable")
        self._rows = rows[by_correlation]
        self._keys = events.correlation[self._rows]

    def of(self, correlation: Ints) -> Ints:
        """The row of each call's copy, UNKNOWN where there is none."""
        if not len(self._keys):
            return np.full(len(correlation), UNKNOWN, np.int64)
        at = np.minimum(np.searchsorted(self._keys, correlation), len(self._keys) - 1)
        hit = (self._keys[at] == correlation) & (correlation >= 0)
        return np.where(hit, self._rows[at], UNKNOWN)


def _waiting(events: Events, copies: _Copies) -> Mask:
    runtime = events.of(RUNTIME)
    return (runtime & events.named(_WAITS)) | _waiting_copies(events, runtime, copies)


def _waiting_copies(events: Events, runtime: Mask, copies: _Copies) -> Mask:
    """Copy calls that returned only after the device was done with pageable memory."""
    blocking: Mask = runtime & events.named(_BLOCKING_COPIES)
    calls = np.flatnonzero(runtime & events.named(_ASYNC_COPIES))
    copy = copies.of(events.correlation[calls])
    pageable = events.named(name for name in events.names if "Pageable" in name)
    waited = (copy >= 0) & pageable[copy] & (events.end[copy] <= events.end[calls])
    blocking[calls[waited]] = True
    return blocking


class _Reader:
    """Finds cause, place and step of each wait."""

    def __init__(self, events: Events, waits: Mask, copies: _Copies) -> None:
        self._events = events
        self._waits = waits
        self._copies = copies
        host = events.of(HOST_OPS)
        self._runtime = events.of(RUNTIME)
        self._explicit = events.named(_WAITS)
        self._op = parents_among(events, host | waits)
        frames = events.of(PYTHON)
        self._frame = parents_among(events, frames | waits)
        self._is_frame = frames
        self._steps = events.steps()
        ends = np.array([step.end_ns for step in self._steps], np.int64)
        self._latest_end = np.maximum.accumulate(ends)
        marks = events.of(ANNOTATIONS)
        self._last_host = int(events.end[host | marks].max()) if (host | marks).any() else None

    def waits(self) -> Iterator[Wait]:
        """One per operator call that waited, in time order; waits without an operator one by one."""
        calls: dict[int, list[int]] = defaultdict(list)
        for row in np.flatnonzero(self._waits).tolist():
            parent = int(self._op[row])
            calls[parent if parent >= 0 else row].append(row)
        for owner, rows in calls.items():
            names = list(self._frame_names(rows[0]))
            if not self._is_profilers_own(owner, rows[0], names):
                yield self._wait(owner, rows, names)

    def _wait(self, owner: int, rows: list[int], names: list[str]) -> Wait:
        events = self._events
        ops = list(self._ops(owner))
        copy = self._copies.of(events.correlation[self._around(owner, rows)])
        copy = copy[copy >= 0]
        direction = self._direction(copy)
        op, kind = self._cause(rows[0], ops, direction)
        if kind in _CAUSES.values():
            direction = "d2h"  # ROCm calls the copy of a read device to device
        nbytes = events.nbytes[copy]
        return Wait(
            call=events.name_of(rows[0]),
            row=rows[0],
            begin_ns=int(events.start[owner]),
            start_ns=int(events.start[rows[0]]),
            end_ns=int((events.start[rows] + events.dur[rows]).max()),
            op=op,
            kind=kind,
            direction=direction,
            phase="backward" if any(o.startswith(_BACKWARD) for o in ops) else "other",
            stack=self._place(owner, names),
            step=self._step(int(events.start[rows[0]])),
            count=max(1, int(self._explicit[rows].sum())),
            nbytes=int(nbytes.sum()) if len(nbytes) and (nbytes >= 0).all() else None,
            blocked_ns=int(events.dur[rows].sum()),
        )

    def _around(self, owner: int, rows: list[int]) -> Ints:
        """The waits and, for an operator call, its other copies: a read is a copy and a wait."""
        events = self._events
        if owner == rows[0]:
            return np.array(rows, np.int64)
        first = int(np.searchsorted(events.start, events.start[owner]))
        last = int(
            np.searchsorted(events.start, events.start[owner] + events.dur[owner], side="right")
        )
        window = np.arange(first, last)
        same = (events.tid[window] == events.tid[owner]) & (events.pid[window] == events.pid[owner])
        around: Ints = window[same & self._runtime[window]]
        return around

    def _ops(self, owner: int) -> Iterator[str]:
        """Names of the enclosing operators, innermost first."""
        row = owner if not self._waits[owner] else UNKNOWN
        while row >= 0:
            yield self._events.name_of(row)
            row = int(self._op[row])

    def _cause(self, wait: int, ops: list[str], direction: Direction) -> tuple[str, str]:
        causes = [op for op in ops if op in _CAUSES]
        if causes:
            op = "aten::item" if _CAUSES[causes[-1]] == "item" else causes[-1]
            return op, _CAUSES[causes[-1]]
        kind: str = "synchronize" if direction == "none" else direction
        if ops:
            return ops[0], kind
        return _WAITS.get(self._events.name_of(wait), self._events.name_of(wait)), kind

    def _direction(self, copies: Ints) -> Direction:
        names = {self._events.name_of(int(copy)) for copy in copies}
        if any("DtoH" in name for name in names):
            return "d2h"
        return "h2d" if any("HtoD" in name for name in names) else "none"

    def _step(self, at: int) -> int | None:
        index = int(np.searchsorted(self._latest_end, at, side="right"))
        for step in self._steps[index:]:
            if step.start_ns <= at < step.end_ns:
                return step.number
            if step.start_ns > at:
                break
        return None

    def _frame_names(self, row: int) -> Iterator[str]:
        """Names of the enclosing Python frames, innermost first."""
        frame = int(self._frame[row])
        while frame >= 0:
            if self._is_frame[frame]:
                yield self._events.name_of(frame)
            frame = int(self._frame[frame])

    def _place(self, owner: int, names: list[str]) -> tuple[Frame, ...]:
        row = owner
        while row >= 0:
            text = self._events.stack_of(row)
            if text:
                return tuple(user_frames(text.split(";")))
            row = int(self._op[row])
        return tuple(user_frames(names))

    def _is_profilers_own(self, owner: int, row: int, names: list[str]) -> bool:
        """A device wait that starts or ends the recording rather than belonging to the program."""
        if owner != row or "DeviceSynchronize" not in self._events.name_of(row):
            return False
        if any(name.startswith(_PROFILER) for name in names):
            return True
        at = int(self._events.start[row])
        if self._steps:
            return self._step(at) is None
        return self._last_host is None or at >= self._last_host
