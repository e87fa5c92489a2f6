"""A `Run` from a trace that somebody recorded: what a capture of our own would have known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from perfkit.analysis.peaks import peaks_for
from perfkit.analysis.sync_waits import sync_records
from perfkit.analysis.trace_costs import trace_costs
from perfkit.analysis.trace_reading import TraceReading, trace_reading
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.io.trace_frames import PYTHON
from perfkit.io.trace_ops import trace_ops
from perfkit.model.costs import OpCost
from perfkit.model.events import DEVICE_WORK, RUNTIME, UNKNOWN, Events, Mask
from perfkit.model.peaks import Peaks
from perfkit.model.run import Gap, Run, Step


def trace_run(events: Events, name: str, command: tuple[str, ...] = ()) -> Run:
    """The run in a trace. Its steps count as light ones: measured with the profiler on."""
    reading = trace_reading(events)
    steps = tuple(
        Step(index, "light", window.start_ns, window.end_ns)
        for index, window in enumerate(reading.steps.windows)
    )
    launches = [step.launches for step in reading.step_launches]
    costs: tuple[OpCost, ...] = ()
    no_costs: tuple[Gap, ...] = ()
    try:
        costs = trace_costs(events, reading.steps, reading.work, reading.owner)
    except NotObservable as reason:
        no_costs = (Gap("FLOPs and bytes of operators", str(reason)),)
    return Run(
        name=name,
        command=command,
        device="cuda" if events.has_device() or bool(events.of(RUNTIME).any()) else "cpu",
        env=_env(events),
        step_marker=reading.steps.marker,
        steps=steps,
        syncs=sync_records(reading.waits, reading.steps),
        ops=trace_ops(events, _inside(events, reading)),
        launches_per_step=sum(launches) / len(launches) if launches else None,
        costs=costs,
        costed_steps=len(steps) if costs else 0,
        peaks=_peaks(events),
        gaps=(*events.gaps, *_gaps(reading), *no_costs),
        ended="was recorded elsewhere",
        source="trace",
        events=events,
    )


def _inside(events: Events, reading: TraceReading) -> Mask:
    """The events of the steps: host events that begin in one, device work launched in one."""
    steps, work = reading.steps, reading.work
    kept: Mask = steps.index_of(events.start) != UNKNOWN
    known = work.launch != UNKNOWN
    kept[work.rows[known]] = kept[work.launch[known]]
    return kept


def _env(events: Events) -> dict[str, str]:
    """What the trace says of the machine."""
    env: dict[str, str] = {}
    devices = [d for d in _list(events.metadata.get("deviceProperties")) if d.get("name")]
    names = list(dict.fromkeys(str(d["name"]) for d in devices))
    if names:
        several = f" (one of {len(devices)})" if len(devices) > 1 else ""
        env["GPU"] = ", ".join(names) + several
    distributed = events.metadata.get("distributedInfo")
    if isinstance(distributed, Mapping) and "rank" in distributed:
        world = distributed.get("world_size", "unknown")
        env["rank"] = f"{distributed['rank']} of {world}"
    env["events"] = units.count(len(events))
    if len(events):
        env["recorded"] = units.ns(int(events.end.max()) - int(events.start.min()))
    return env


def _peaks(events: Events) -> Peaks | None:
    """The tabulated figures of the devices, where all are of one kind and in the table."""
    devices = _list(events.metadata.get("deviceProperties"))
    kinds = {(str(d.get("name", "")), _whole(d.get("numSms"))) for d in devices}
    return peaks_for(*kinds.pop()) if len(kinds) == 1 else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _gaps(reading: TraceReading) -> Iterator[Gap]:
    events, steps = reading.events, reading.steps
    if steps.reason:
        yield Gap("steps", steps.reason)
    outside = reading.launched_in_no_step()
    if outside and reading.work.busy.total and outside > 0.001 * reading.work.busy.total:
        share = outside / reading.work.busy.total
        yield Gap(
            "device work outside the steps",
            f"{units.ns(outside)} of busy time ({share:.0%}) is in no step and was left out",
        )
    lonely = int((reading.work.launch == UNKNOWN).sum())
    if lonely:
        yield Gap(
            "launches", f"{units.count(lonely)} pieces of device work have no recorded launch call"
        )
    if events.has_device() and not events.of(PYTHON).any() and not events.stacks:
        yield Gap(
            "Python lines",
            "the trace has no stacks (with_stack=True records them), so places are operators",
        )
    if not events.of(DEVICE_WORK).any():
        yield Gap("device", "the trace holds no work of a device")
    yield from _short(steps)


def _short(steps: TraceSteps) -> Iterator[Gap]:
    lengths = steps.ends - steps.starts
    if len(lengths) > 2 and float(lengths.max()) > 4 * float(np.median(lengths)):
        longest = units.ns(int(lengths.max()))
        yield Gap("steps", f"one step takes {longest}, over four times the median")


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
