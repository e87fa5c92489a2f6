"""Samples of devices and host over time: columns on the process's monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from perfkit.model.gap import Gap

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Series:
    """One measured quantity. NaN is "not available at this moment", never 0.

    Attributes:
        unit: "ratio", "bytes", "bytes/s", "hertz", "watt", "joule", "celsius", "count" or "flags".
        values: float64 [samples], over `Samples.time`.
    """

    unit: str
    values: Floats


@dataclass(frozen=True, eq=False)
class Samples:
    """What a sampler saw of one device, or of the host.

    Attributes:
        subject: "device 0", or "host".
        identity: name, uuid, bus id, NUMA node and so on, for people.
        time: int64 ns [samples], `time.monotonic_ns`, ascending.
        wall_offset_ns: wall clock minus monotonic clock, read when sampling began: Kineto's traces
            carry wall time.
        series: by name: "sm_utilisation", "memory_used", "power"...
        unavailable: quantities that could not be had, each with the reason.
        hertz: samples per second that were asked for.
        cost_ns: CPU time that the sampler's own thread took, over all samples; None unknown.
    """

    subject: str
    time: Ints
    wall_offset_ns: int
    series: Mapping[str, Series] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    unavailable: tuple[Gap, ...] = ()
    hertz: float = 0.0
    cost_ns: int | None = None

    def __len__(self) -> int:
        return len(self.time)
