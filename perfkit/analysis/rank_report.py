"""What the reduction over ranks needs of one rank: a small picklable summary of its trace.

Time is divided exclusively on the rank's busiest device, first match wins: something computed;
else something communicated; else something was copied or filled; else the device was idle while
the host loaded data; else idle. Data loading is what PyTorch marks so: `enumerate(DataLoader)...`
and TorchRec's `wait_for_batch`. The window is that of all recorded steps, as `trace_steps` finds them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from perfkit.analysis.communication import Exchange, communication
from perfkit.analysis.device_work import DeviceWork, device_work
from perfkit.analysis.spans import EMPTY, Spans, union
from perfkit.analysis.trace_steps import trace_steps
from perfkit.base.errors import NotObservable
from perfkit.io.collectives import Shapes
from perfkit.model.events import ANNOTATIONS, HOST_OPS, Events, Ints

_LOADING = re.compile(r"^enumerate\(DataLoader\)|wait_for_batch")
_NUMBER = re.compile(r"(?:rank|worker)[-_]?(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Phases:
    """An exclusive division of a stretch of time, ns; see the module for what wins over what."""

    compute_ns: int = 0
    communication_ns: int = 0
    copies_ns: int = 0
    input_ns: int = 0
    idle_ns: int = 0

    @property
    def total_ns(self) -> int:
        return int(sum(astuple(self)))


@dataclass(frozen=True)
class RankReport:
    """One rank in short.

    Attributes:
        name: of its trace file.
        rank: as the trace or else the file's name says; None where neither does.
        world: how many ranks there are; None unknown.
        device: name of its GPU; empty unknown.
        start_ns, end_ns: the window, on this rank's clock.
        steps: how many steps the window holds; 0 where none could be told apart.
        phases: the window divided.
        comm_ns, exposed_ns: as `Communication`.
        collectives: in launch order.
        before: for each collective, the time since the end of the one before it in its group (or
            since the window began) until its kernel started, divided.
        gaps: what could not be seen.
    """

    name: str
    rank: int | None
    world: int | None
    device: str
    start_ns: int
    end_ns: int
    steps: int
    phases: Phases
    comm_ns: int = 0
    exposed_ns: int = 0
    collectives: tuple[Exchange, ...] = ()
    before: tuple[Phases, ...] = ()
    gaps: tuple[str, ...] = ()

    def self_check(self) -> None:
        """Raise AssertionError where the parts contradict the whole; tests call it."""
        assert self.phases.total_ns == self.end_ns - self.start_ns
        assert len(self.before) == len(self.collectives)
        assert all(phases.total_ns >= 0 for phases in self.before)


def rank_report(events: Events, shapes: Mapping[int, Shapes], name: str) -> RankReport:
    """One rank's trace in short; `name` is that of its file.

    Raises:
        NotObservable: the trace holds neither operators nor device work.
    """
    work = device_work(events)
    others = work.devices[1:]
    work = work.of(work.devices[0]) if work.devices else work
    divide = _Division(events, work)
    steps = trace_steps(events, work)
    if not steps.windows:
        raise NotObservable(f"{name}: {steps.reason}")
    low, high = steps.windows[0].start_ns, steps.windows[-1].end_ns
    info = _mapping(events.metadata.get("distributedInfo"))
    gaps = [f"{gap.what}: {gap.why}" for gap in events.gaps]
    if others:
        gaps.append(f"devices of {name}: of {1 + len(others)} only the busiest was divided")
    report = RankReport(
        name=name,
        rank=_rank(info, name),
        world=_int(info.get("world_size")),
        device=_device(events),
        start_ns=low,
        end_ns=high,
        steps=0 if steps.how == "whole" else len(steps.windows),
        phases=divide(np.array([low]), np.array([high]))[0],
    )
    try:
        found = communication(events, shapes)
    except NotObservable as reason:
        return _with(report, gaps=(*gaps, f"collectives: {reason}"))
    starts = np.array([c.start_ns for c in found.collectives], np.int64)
    since = np.minimum(_since(found.collectives, low), starts)
    return _with(
        report,
        comm_ns=found.busy_ns,
        exposed_ns=found.exposed_ns,
        collectives=found.collectives,
        before=tuple(divide(since, starts)),
        gaps=tuple(gaps),
    )


class _Division:
    """Divides stretches of time by what the device and the loading host did."""

    def __init__(self, events: Events, work: DeviceWork) -> None:
        loads = events.named(name for name in events.names if _LOADING.search(name))
        rows = np.flatnonzero(loads & events.of((*HOST_OPS, *ANNOTATIONS)))
        parts = (
            work.compute,
            work.comm,
            work.copies,
            union(events.start[rows], events.end[rows]),
        )
        self._layers: list[Spans] = []
        for part in parts:
            self._layers.append(part | (self._layers[-1] if self._layers else EMPTY))

    def __call__(self, low: Ints, high: Ints) -> list[Phases]:
        reached = [layer.covered(low, high) for layer in self._layers]
        columns = np.diff(np.stack([np.zeros(len(low), np.int64), *reached, high - low]), axis=0)
        return [Phases(*column) for column in columns.T.tolist()]


def _since(collectives: tuple[Exchange, ...], begin: int) -> Ints:
    """For each collective the end of the one before it in its group, else the window's begin."""
    last: dict[tuple[str, tuple[int, ...]], int] = {}
    found = []
    for one in collectives:
        found.append(last.get((one.group, one.ranks), begin))
        last[one.group, one.ranks] = one.end_ns
    return np.array(found, np.int64)


def _with(report: RankReport, **changes: Any) -> RankReport:
    return RankReport(**{**report.__dict__, **changes})


def _rank(info: dict[str, Any], name: str) -> int | None:
    known = _int(info.get("rank"))
    if known is not None:
        return known
    numbers = _NUMBER.findall(name)
    return int(numbers[-1]) if numbers and len(numbers[-1]) < 10 else None


def _device(events: Events) -> str:
    devices = events.metadata.get("deviceProperties")
    first = _mapping(devices[0]) if isinstance(devices, list) and devices else {}
    return str(first.get("name", ""))


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
