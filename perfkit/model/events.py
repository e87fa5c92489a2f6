"""The intervals of a trace as columns: what `io.chrome` reads and every trace analysis walks over.

One row per interval, sorted by start (the longer first where two start together). Names,
categories and stacks are dictionary-encoded: a column of small integers and a tuple of texts.
Knows nothing of files or of JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from perfkit.model.grids import Grids
from perfkit.model.run import Gap
from perfkit.model.shapes import Shapes

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

UNKNOWN = -1
"""In an integer column: the trace does not say."""

HOST_OPS = ("cpu_op",)
ANNOTATIONS = ("user_annotation",)
RUNTIME = ("cuda_runtime", "cuda_driver", "privateuse1_runtime", "xpu_runtime", "mtia_runtime")
DEVICE_WORK = ("kernel", "gpu_memcpy", "gpu_memset")

_STEP = "ProfilerStep#"
_LITTLE = 0.05


@dataclass(frozen=True)
class StepWindow:
    """One `ProfilerStep#number` mark of the host: `[start_ns, end_ns)`. Numbers may repeat."""

    number: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Collective:
    """What Kineto says of one collective, at its kernel and at its `record_param_comms` operator.

    Attributes:
        row: the event it belongs to.
        kind: as torch writes it: "allreduce", "_allgather_base", "all_to_allv"...
        dtype: "Float", "BFloat16"...; empty if unknown.
        in_elements, out_elements: elements sent and received by this rank; None if unknown.
        group: the process group's name; group_size: its ranks; None if unknown.
        ranks: the group's ranks as torch writes them ("[0, 1]"), perhaps shortened; empty if unknown.
        in_split, out_split: elements per peer of an all-to-all, as torch writes them; often empty.
        sequence: number of the collective within its group, the same on every rank; None if unknown.
    """

    row: int
    kind: str
    dtype: str = ""
    in_elements: int | None = None
    out_elements: int | None = None
    group: str | None = None
    group_size: int | None = None
    ranks: str = ""
    in_split: str = ""
    out_split: str = ""
    sequence: int | None = None


@dataclass(frozen=True)
class DeviceSync:
    """What Kineto says of one `cuda_sync` event: who waits for what.

    Attributes:
        row: the event it belongs to.
        kind: "Stream Sync", "Context Sync", "Event Sync", "Stream Wait Event"; empty if unknown.
        stream: the stream that is waited for, or of a stream that waits, itself; None if unknown.
        on_stream: of "Stream Wait Event": the stream on which the awaited event was recorded.
        record: correlation of the `cudaEventRecord` call that is waited for; None if unknown.
    """

    row: int
    kind: str = ""
    stream: int | None = None
    on_stream: int | None = None
    record: int | None = None


def _none() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class MemoryChanges:
    """Allocations and frees (`[memory]` instants), sorted by time; empty where not recorded.

    Attributes:
        time: int64 nanoseconds, on the trace's clock. thread: the host thread.
        nbytes: bytes allocated, negative where freed.
        allocated, reserved: bytes in use, and held by the allocator, after it; UNKNOWN if not told.
        device_type: c10's number: 0 CPU, 1 CUDA, 6 HIP. device: its index, UNKNOWN for the host.
        address: where the memory lies; UNKNOWN if not told.
    """

    time: Ints = field(default_factory=_none)
    thread: Ints = field(default_factory=_none)
    nbytes: Ints = field(default_factory=_none)
    allocated: Ints = field(default_factory=_none)
    reserved: Ints = field(default_factory=_none)
    device_type: Ints = field(default_factory=_none)
    device: Ints = field(default_factory=_none)
    address: Ints = field(default_factory=_none)

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, eq=False)
class Events:
    """The intervals of one trace. Compared by identity: columns have no single truth.

    Attributes:
        names, categories, stacks: the dictionaries; categories in Kineto's present spelling
            (`cpu_op`, `cuda_runtime`, `kernel`...), stacks as old traces' "Call stack" texts.
        start, dur: int64 nanoseconds, on the trace's own clock.
        name, cat, stack: codes into the dictionaries; `stack` is UNKNOWN where there is none.
        pid, tid: as in the trace; those that are texts there get negative numbers, see `labels`.
            Of device work they are the device and the stream.
        correlation: joins a runtime call with the device work it launched; UNKNOWN if none.
        external: joins runtime calls and device work with their operator; UNKNOWN if none.
        nbytes: bytes moved, for copies; UNKNOWN otherwise.
        order: position in the file's list of events.
        labels: texts behind negative pids and tids.
        metadata: the trace's own top-level fields, as JSON data.
        gaps: everything that was repaired or dropped on reading.
        collectives, syncs: further arguments of the few events that have them, in row order.
        memory: the allocator's changes.
        shapes: the arguments of operators, where they were recorded.
        grids: of the kernels, where they were recorded.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...]
    stacks: tuple[str, ...]
    start: Ints
    dur: Ints
    name: Ints
    cat: Ints
    stack: Ints
    pid: Ints
    tid: Ints
    correlation: Ints
    external: Ints
    nbytes: Ints
    order: Ints
    labels: Mapping[int, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    collectives: tuple[Collective, ...] = ()
    syncs: tuple[DeviceSync, ...] = ()
    memory: MemoryChanges = field(default_factory=MemoryChanges)
    shapes: Shapes = field(default_factory=Shapes)
    grids: Grids = field(default_factory=Grids)

    def __len__(self) -> int:
        return len(self.start)

    @property
    def end(self) -> Ints:
        """End of each interval, ns."""
        return self.start + self.dur

    def of(self, categories: Iterable[str]) -> Mask:
        """Which rows belong to one of these categories."""
        wanted = set(categories)
        return np.array([category in wanted for category in self.categories], np.bool_)[self.cat]

    def named(self, names: Iterable[str]) -> Mask:
        """Which rows bear one of these names."""
        wanted = set(names)
        return np.array([name in wanted for name in self.names], np.bool_)[self.name]

    def name_of(self, row: int) -> str:
        return self.names[int(self.name[row])]

    def category_of(self, row: int) -> str:
        return self.categories[int(self.cat[row])]

    def stack_of(self, row: int) -> str:
        """The "Call stack" text of a row, empty where the trace has none."""
        code = int(self.stack[row])
        return "" if code < 0 else self.stacks[code]

    def steps(self) -> tuple[StepWindow, ...]:
        """The host's step windows in order.

        Left out are the device's copies of the marks, and a last mark that holds next to nothing of
        what the ones before hold (`_trails`): a profiler opens it when the last step has already
        ended, and whatever the program does until it stops falls into it.
        """
        marks = [code for code, name in enumerate(self.names) if name.startswith(_STEP)]
        host = self.of((*ANNOTATIONS, *HOST_OPS)) & np.isin(self.name, marks)
        windows = []
        for row in np.flatnonzero(host):
            number = self.name_of(int(row))[len(_STEP) :]
            if number.isdecimal() and len(number) < 19:
                start = int(self.start[row])
                windows.append(StepWindow(int(number), start, start + int(self.dur[row])))
        if len(windows) > 1 and self._trails(windows, self.start[self.of(HOST_OPS) & ~host]):
            windows.pop()
        return tuple(windows)

    def _trails(self, windows: list[StepWindow], ops: Ints) -> bool:
        """Whether the last mark is none: few operators, and little time on the host and on devices.

        Little is less than a twentieth of the median of the others. All three must hold, since a
        step that replays a graph has few operators too; one without any operator is none anyhow.
        """
        edges = np.array([(window.start_ns, window.end_ns) for window in windows], np.int64)
        begun = np.diff(np.searchsorted(ops, edges))[:, 0]
        if not begun[-1]:
            return bool(begun[-2])
        few = begun[-1] < _LITTLE * np.median(begun[:-1])
        length = edges[:, 1] - edges[:, 0]
        if not few or length[-1] >= _LITTLE * np.median(length[:-1]):
            return False
        worked = self._launched(edges)
        return bool(worked[-1] <= _LITTLE * np.median(worked[:-1]))

    def _launched(self, edges: Ints) -> Ints:
        """Time of the device work that was launched within each row `[start, end)` of edges, ns."""
        calls = np.flatnonzero(self.of(RUNTIME) & (self.correlation > 0))
        calls = np.sort(calls[np.unique(self.correlation[calls], return_index=True)[1]])
        work = np.flatnonzero(self.of(DEVICE_WORK) & (self.correlation > 0))
        ids, place = np.unique(self.correlation[work], return_inverse=True)
        spent = np.zeros(len(ids) + 1, np.int64)
        np.add.at(spent, place, self.dur[work])
        at = np.searchsorted(ids, self.correlation[calls])
        known = ids[np.minimum(at, len(ids) - 1)] == self.correlation[calls] if len(ids) else at < 0
        sums = np.concatenate(([0], np.cumsum(np.where(known, spent[at], 0))))
        first, last = np.searchsorted(self.start[calls], edges).T
        result: Ints = sums[last] - sums[first]
        return result

    def has_device(self) -> bool:
        """True when the trace holds any work done by a device."""
        return bool(self.of(DEVICE_WORK).any())

    def self_check(self) -> None:
        """Raise AssertionError when the columns contradict each other; tests call it on every trace."""
        columns = [self.dur, self.name, self.cat, self.stack, self.pid, self.tid]
        columns += [self.correlation, self.external, self.nbytes, self.order]
        assert all(len(column) == len(self) for column in columns)
        assert all(column.dtype == np.int64 for column in (self.start, *columns))
        assert not len(self) or bool((self.dur >= 0).all())
        assert bool((np.diff(self.start) >= 0).all())
        for codes, texts in ((self.name, self.names), (self.cat, self.categories)):
            assert not len(self) or 0 <= int(codes.min()) <= int(codes.max()) < len(texts)
        assert len(set(self.order.tolist())) == len(self)
        for about in (self.collectives, self.syncs):
            rows = [each.row for each in about]
            assert rows == sorted(set(rows))
            assert not rows or 0 <= rows[0] <= rows[-1] < len(self)
        assert bool((np.diff(self.memory.time) >= 0).all())
        self.shapes.self_check(len(self))
        self.grids.self_check(len(self))
