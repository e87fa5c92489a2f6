"""Where each step's time went, on the device and on the host: exclusive parts that sum to the step.

On a device (all its streams together; a moment counts once):

    compute          at least one kernel computes
    exposed_comm     communication runs and nothing computes
    exposed_copies   copies or fills run, nothing computes or communicates
    graph_gaps       between the kernels of one graph launch: nothing for the host to do
    idle             nothing of the above

These are the definitions of the exact reference among peers: TraceLens counts fills as compute and
only linked kernels, HTA rounds times to microseconds and counts hidden copies as compute.
A window is a step of the host. A device that lags behind works on an earlier step in it; over steady
steps this evens out. The host's parts are those of `host_time`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.host_time import PARTS as HOST_PARTS
from perfkit.analysis.host_time import HostTime
from perfkit.analysis.spans import Spans
from perfkit.analysis.trace_steps import TraceSteps
from perfkit.model.events import StepWindow
from perfkit.model.table import Column, Table

DEVICE_PARTS = ("compute", "exposed_comm", "exposed_copies", "graph_gaps", "idle")
HOST = "host"
COLUMNS = (
    Column("step"),
    Column("side"),
    Column("part"),
    Column("time_ns", "ns"),
    Column("share", "ratio"),
)


@dataclass(frozen=True)
class StepParts:
    """One step: ns by part for the host (`"host"`) and each device (`"device 0"`...)."""

    window: StepWindow
    sides: Mapping[str, Mapping[str, int]]

    @property
    def length_ns(self) -> int:
        return self.window.end_ns - self.window.start_ns

    def self_check(self) -> None:
        """Raise AssertionError unless every side's parts sum to the step and none is negative."""
        for parts in self.sides.values():
            assert sum(parts.values()) == self.length_ns, (parts, self.length_ns)
            assert min(parts.values()) >= 0, parts


def step_breakdown(steps: TraceSteps, work: DeviceWork, host: HostTime) -> tuple[StepParts, ...]:
    """One entry per step."""
    if not steps.windows:
        return ()
    low, high = steps.starts, steps.ends
    sides = {HOST: host.parts(low, high)}
    for device in work.devices:
        covered = {
            name: spans.covered(low, high) for name, spans in device_sets(work.of(device)).items()
        }
        idle = (high - low) - sum(covered.values(), np.zeros(len(low), np.int64))
        sides[device_name(device)] = {**covered, "idle": idle}
    return tuple(
        StepParts(
            window,
            {
                side: {name: int(values[index]) for name, values in parts.items()}
                for side, parts in sides.items()
            },
        )
        for index, window in enumerate(steps.windows)
    )


def device_sets(work: DeviceWork) -> dict[str, Spans]:
    """The exclusive sets of time in which a device did something; the rest is idle."""
    compute = work.compute
    comm = work.comm - compute
    copies = work.copies - compute - comm
    return {
        "compute": compute,
        "exposed_comm": comm,
        "exposed_copies": copies,
        "graph_gaps": work.graph_gaps,
    }


def device_name(device: int) -> str:
    return f"device {device}"


def mean_parts(breakdown: tuple[StepParts, ...]) -> dict[str, dict[str, float]]:
    """ns by side and part, mean over the steps."""
    if not breakdown:
        return {}
    return {
        side: {
            part: sum(step.sides[side][part] for step in breakdown) / len(breakdown)
            for part in parts
        }
        for side, parts in breakdown[0].sides.items()
    }


def step_breakdown_table(breakdown: tuple[StepParts, ...], most: int = 200) -> Table:
    """`step_breakdown` in long form: a row per step (the first `most`), side and part."""
    rows = [
        (
            step.window.number,
            side,
            part,
            parts[part],
            parts[part] / step.length_ns,
        )
        for step in breakdown[:most]
        for side, parts in step.sides.items()
        for part in (HOST_PARTS if side == HOST else DEVICE_PARTS)
    ]
    return Table(COLUMNS, tuple(rows))
