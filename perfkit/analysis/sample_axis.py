"""Kernels from the trace and samples on one time axis, and words for what they disagree on.

Kineto writes wall time (`baseTimeNanoseconds` plus each event's time), samples carry the monotonic clock
and its distance to the wall clock. NVML's utilisation is the share of time in which *some* kernel was
resident; kernels that cover a device's time say no more of how much of it they fill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfkit.analysis.device_samples import inside, values
from perfkit.analysis.device_work import DeviceWork
from perfkit.analysis.spans import Spans, union
from perfkit.base import units
from perfkit.base.errors import NotObservable
from perfkit.model.events import Events, Ints
from perfkit.model.run import Step
from perfkit.model.samples import Floats, Samples

_APART_NS = 60_000_000_000
_LOOKS_BACK_NS = 1_000_000_000
_AGREE = 0.1


@dataclass(frozen=True)
class Busy:
    """Share of time in which a device ran anything, in equal stretches of the monotonic clock."""

    device: int
    edges: Ints
    share: Floats


@dataclass(frozen=True)
class Utilisation:
    """NVML's word and the kernels' for the traced steps of one device.

    Attributes:
        nvml: mean utilisation at the samples; kernels: share of the steps covered by kernels and
            copies. None where not observed.
        words: what the two say together.
    """

    device: int
    samples: int
    nvml: float | None
    kernels: float | None
    words: str


def trace_to_monotonic(events: Events, samples: Samples) -> int:
    """What to add to a time of the trace to have it on the samples' clock, ns.

    Raises:
        NotObservable: they lie far apart, so one of the clocks is not what it should be.
    """
    base = events.metadata.get("baseTimeNanoseconds")
    shift = (base if isinstance(base, int) else 0) - samples.wall_offset_ns
    if len(events) and len(samples):
        first = int(events.start.min()) + shift
        apart = max(first - int(samples.time[-1]), int(samples.time[0]) - first)
        if apart > _APART_NS:
            raise NotObservable(f"trace and samples lie {units.ns(apart)} apart")
    return shift


def kernel_busy(work: DeviceWork, device: int, window: tuple[int, int], parts: int) -> Busy:
    """How much of each of `parts` equal stretches of a window the device was busy; trace time."""
    edges = np.linspace(*window, parts + 1).astype(np.int64)
    covered = work.of(device).busy.covered(edges[:-1], edges[1:])
    return Busy(device, edges, covered / np.maximum(np.diff(edges), 1))


def utilisation(
    samples: Samples, device: int, steps: Sequence[Step], busy: Spans | None
) -> Utilisation:
    """Both words for the light steps, which are those of the trace.

    Args:
        busy: when the device ran anything, on the monotonic clock; None without a trace.
    """
    light = [step for step in steps if step.instrument == "light"]
    of_nvml = values(samples, "sm_utilisation")
    counts = inside(samples.time, light, ("light",)) if light else np.zeros(len(samples), np.bool_)
    had = of_nvml[counts & ~np.isnan(of_nvml)]
    nvml = float(had.mean()) if len(had) else None
    edges = np.array([(s.start_ns, s.end_ns) for s in light], np.int64).reshape(-1, 2)
    windows = union(edges[:, 0], edges[:, 1])
    kernels = None
    if busy is not None and windows.total:
        kernels = (busy & windows).total / windows.total
    words = _words(samples, nvml, kernels, windows.total)
    return Utilisation(device, len(had), nvml, kernels, words)


def _words(samples: Samples, nvml: float | None, kernels: float | None, took: int) -> str:
    if nvml is None and kernels is None:
        return f"neither was observed: {_no_nvml(samples)}; no trace of this device"
    if nvml is None:
        assert kernels is not None
        return f"kernels covered {units.share(kernels)} of the time; {_no_nvml(samples)}"
    if kernels is None:
        return f"NVML says {units.share(nvml)}; no trace tells how much of that kernels covered"
    late = ""
    if took < _LOOKS_BACK_NS:
        late = f" NVML looks back up to 1 s, and the traced steps took {units.ns(took)}."
    if nvml > kernels + _AGREE:
        return (
            f"NVML says {units.share(nvml)}: some kernel was resident in that share of its sampling "
            f"periods; kernels covered {units.share(kernels)} of SM time at most.{late}"
        )
    if kernels > nvml + _AGREE:
        return (
            f"NVML says {units.share(nvml)}, kernels covered {units.share(kernels)}: its periods also "
            f"hold what was between and before the traced steps.{late}"
        )
    return (
        f"NVML ({units.share(nvml)}) and kernels ({units.share(kernels)}) agree; neither tells how "
        f"much of the device the kernels filled.{late}"
    )


def _no_nvml(samples: Samples) -> str:
    gaps = {gap.what: gap.why for gap in samples.unavailable}
    why = gaps.get("utilisation") or gaps.get("everything after that moment")
    return f"NVML's utilisation is not available because {why or 'no sample fell into the steps'}"
