"""What ran on the devices: each piece of work with its kind, its launch and whether a graph held it.

Kinds are by category and name: copies and fills by their category; communication is a kernel with
`nccl` or `rccl` in its name, or one of the all-reduce kernels that serving engines bring along;
everything else computes. Events without a start on a device (`cuda_sync`, annotations, overhead) are
no work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perfkit.analysis.spans import EMPTY, Spans, union
from perfkit.io.trace_ops import lookup
from perfkit.model.events import DEVICE_WORK, RUNTIME, UNKNOWN, Events, Ints, Mask

_COMMUNICATION = re.compile(
    r"nccl|rccl|cross_device_reduce|nvshmem|(one|two)shot_?all_?reduce", re.IGNORECASE
)
_GRAPH = re.compile(r"graph_?launch", re.IGNORECASE)


@dataclass(frozen=True)
class DeviceWork:
    """All device work of a trace as columns, sorted by start.

    Attributes:
        rows: rows in the events.
        start, end: ns.
        device, stream: as the trace numbers them.
        launch: row of the runtime call that launched it, UNKNOWN where none was recorded.
        is_comm, is_copy: communication kernels; copies and fills. What is neither computes.
        in_graph: launched together with other work by one call for a whole graph.
    """

    rows: Ints
    start: Ints
    end: Ints
    device: Ints
    stream: Ints
    launch: Ints
    is_comm: Mask
    is_copy: Mask
    in_graph: Mask

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def devices(self) -> tuple[int, ...]:
        """The devices with work, the busiest first."""
        ids = np.unique(self.device)
        sums = {int(i): int((self.end - self.start)[self.device == i].sum()) for i in ids}
        return tuple(sorted(sums, key=lambda device: (-sums[device], device)))

    def of(self, device: int) -> DeviceWork:
        """The work of one device."""
        mine = self.device == device
        columns = {name: getattr(self, name)[mine] for name in self.__dataclass_fields__}
        return DeviceWork(**columns)

    @cached_property
    def busy(self) -> Spans:
        """When anything ran: the union over all streams of what this holds."""
        return union(self.start, self.end)

    @cached_property
    def compute(self) -> Spans:
        return self._where(~self.is_comm & ~self.is_copy)

    @cached_property
    def comm(self) -> Spans:
        return self._where(self.is_comm)

    @cached_property
    def copies(self) -> Spans:
        return self._where(self.is_copy)

    @cached_property
    def graph_gaps(self) -> Spans:
        """Between the kernels of one graph: nothing runs, but nobody has to launch anything."""
        if not self.in_graph.any():
            return EMPTY
        _, group = np.unique(self.launch[self.in_graph], return_inverse=True)
        first = np.full(group.max() + 1, np.iinfo(np.int64).max)
        last = np.full(group.max() + 1, np.iinfo(np.int64).min)
        np.minimum.at(first, group, self.start[self.in_graph])
        np.maximum.at(last, group, self.end[self.in_graph])
        return union(first, last) - self.busy

    def _where(self, mask: Mask) -> Spans:
        return union(self.start[mask], self.end[mask])


def device_work(events: Events) -> DeviceWork:
    """The device work of a trace; empty where it holds none."""
    rows = np.flatnonzero(events.of(DEVICE_WORK))
    launches = np.flatnonzero(events.of(RUNTIME))
    launch = lookup(events.correlation[launches], launches, events.correlation[rows])
    graphs = events.named(name for name in events.names if _GRAPH.search(name))
    kernel = events.of(("kernel",))[rows]
    communicates = events.named(name for name in events.names if _COMMUNICATION.search(name))
    return DeviceWork(
        rows=rows,
        start=events.start[rows],
        end=events.end[rows],
        device=events.pid[rows],
        stream=events.tid[rows],
        launch=launch,
        is_comm=kernel & communicates[rows],
        is_copy=~kernel,
        in_graph=(launch != UNKNOWN) & graphs[launch],
    )
