"""Tables of samples: statistics, both words on utilisation, and the values over time for figures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from perfkit.analysis.device_samples import (
    decoded,
    devices,
    energy,
    host,
    sampler_share,
    summaries,
    values,
)
from perfkit.analysis.device_work import DeviceWork, device_work
from perfkit.analysis.sample_axis import kernel_busy, trace_to_monotonic, utilisation
from perfkit.analysis.spans import Spans
from perfkit.base.errors import NotObservable
from perfkit.model.events import Events, Ints
from perfkit.model.run import Run, Step
from perfkit.model.samples import Floats, Samples
from perfkit.model.table import Cell, Column, Table

_MOST_POINTS = 600
_STRETCHES = 240
_CORE = "cpu_core_"
OVER_TIME = (
    ("sm_utilisation", "ratio"),
    ("memory_used", "bytes"),
    ("sm_clock", "hertz"),
    ("power", "watt"),
    ("temperature", "celsius"),
    ("cpu_busy", "ratio"),
    ("process_cpu", "count"),
    ("workers_cpu", "count"),
    ("process_rss", "bytes"),
)
"""Quantities that are kept over time, with their units."""


def sample_tables(run: Run) -> dict[str, Table]:
    """Tables by name; none where nothing was sampled."""
    if not run.samples:
        return {}
    tables = {"device_timeline": device_timeline_table(run.samples, run.steps)}
    machine, gpus = host(run.samples), devices(run.samples)
    if machine is not None:
        tables["host_samples"] = samples_table((machine,), run.steps)
    if gpus:
        tables["device_samples"] = samples_table(gpus, run.steps)
        tables["utilisation"] = utilisation_table(run)
        with suppress(NotObservable):  # the words of `utilisation` say why
            tables["kernel_busy"] = kernel_busy_table(run)
    return tables


def sampling_fact(run: Run) -> dict[str, str]:
    """How often was sampled and what that cost, for people; empty where nothing was."""
    if not run.samples:
        return {}
    share = sampler_share(run.samples)
    cost = "an unknown share" if share is None else f"{share:.2%}"
    count = max(map(len, run.samples))
    return {
        "sampling": f"{run.samples[0].hertz:g} times a second, {count} moments, {cost} of one core"
    }


def samples_table(samples: Sequence[Samples], steps: Sequence[Step]) -> Table:
    """`summaries` as a table; of single cores only over the whole time."""
    columns = ("subject", "phase", "quantity", "unit", "samples", "low", "mean", "high", "why")
    rows = tuple(
        (s.subject, s.phase, s.quantity, s.unit, s.samples, s.low, s.mean, s.high, s.why)
        for each in samples
        for s in summaries(each, steps)
        if s.phase == "whole" or not s.quantity.startswith(_CORE)
    )
    return Table(tuple(map(Column, columns)), rows)


def utilisation_table(run: Run) -> Table:
    """NVML's utilisation beside the kernels', and energy per step, a row per device."""
    columns = (
        Column("device"),
        Column("samples"),
        Column("nvml_utilisation", "ratio"),
        Column("kernel_busy", "ratio"),
        Column("energy_per_step", "joule"),
        Column("energy_from"),
        Column("words"),
    )
    rows = []
    for each in devices(run.samples):
        number = int(each.subject.removeprefix("device "))
        said = utilisation(each, number, run.steps, _busy(run, each, number))
        spent = next(iter(energy(each, run.steps)), None)
        rows.append(
            (
                number,
                said.samples,
                said.nvml,
                said.kernels,
                spent.per_step if spent else None,
                f"{spent.phase}: {spent.method}" if spent else None,
                said.words,
            )
        )
    return Table(columns, tuple(rows))


def device_timeline_table(samples: Sequence[Samples], steps: Sequence[Step]) -> Table:
    """Values over time since the first sample, at most some hundred rows per subject."""
    zero = _zero(samples)
    columns = (
        Column("subject"),
        Column("at_ns", "ns"),
        Column("phase"),
        *(Column(name, unit) for name, unit in OVER_TIME),
        Column("held_back"),
    )
    rows: list[tuple[Cell, ...]] = []
    for each in samples:
        every = max(1, -(-len(each) // _MOST_POINTS))
        columns_of = [_thinned(values(each, name), every) for name, _ in OVER_TIME]
        flags = values(each, "throttle")[::every]
        phases = _phases(each.time[::every], steps)
        for index, moment in enumerate(each.time[::every].tolist()):
            told = [_cell(column[index]) for column in columns_of]
            held = None if np.isnan(flags[index]) else ", ".join(decoded(int(flags[index]) & ~3))
            rows.append((each.subject, moment - zero, phases[index], *told, held or None))
    return Table(columns, tuple(rows))


def kernel_busy_table(run: Run) -> Table:
    """How busy kernels kept each device, in stretches of the light steps' time.

    Raises:
        NotObservable: there is no trace of a device, or it is not on the samples' clock.
    """
    light = [step for step in run.steps if step.instrument == "light"]
    if not isinstance(run.events, Events) or not light:
        raise NotObservable("the run has no trace")
    work, zero = device_work(run.events), _zero(run.samples)
    rows: list[tuple[Cell, ...]] = []
    for each in devices(run.samples):
        number = int(each.subject.removeprefix("device "))
        shift = trace_to_monotonic(run.events, each)
        window = (light[0].start_ns - shift, light[-1].end_ns - shift)
        if number not in work.devices or window[1] <= window[0]:
            continue
        busy = kernel_busy(work, number, window, _STRETCHES)
        moved = (busy.edges + shift - zero).tolist()
        rows += [
            (number, low, high, share)
            for low, high, share in zip(moved[:-1], moved[1:], busy.share.tolist(), strict=True)
        ]
    if not rows:
        raise NotObservable("the trace holds no work of a sampled device")
    names = (Column("device"), Column("from_ns", "ns"), Column("to_ns", "ns"))
    return Table((*names, Column("share", "ratio")), tuple(rows))


def _busy(run: Run, samples: Samples, device: int) -> Spans | None:
    """When the trace saw the device work, on the samples' clock."""
    if not isinstance(run.events, Events):
        return None
    try:
        shift = trace_to_monotonic(run.events, samples)
    except NotObservable:
        return None
    work: DeviceWork = device_work(run.events)
    if device not in work.devices:
        return None
    busy = work.of(device).busy
    return Spans(busy.start + shift, busy.end + shift)


def _zero(samples: Sequence[Samples]) -> int:
    return min((int(each.time[0]) for each in samples if len(each)), default=0)


def _thinned(column: Floats, every: int) -> list[float]:
    """Every n-th value; what is missing there is taken from those that follow and are left out."""
    found = column[::every].copy()
    for offset in range(1, every):
        later = column[offset::every]
        part = found[: len(later)]
        part[np.isnan(part)] = later[np.isnan(part)]
    return [float(value) for value in found]


def _phases(time: Ints, steps: Sequence[Step]) -> list[str | None]:
    """The instrument of the step that each moment lies in; steps are in order."""
    begins = np.array([step.start_ns for step in steps], np.int64)
    index = np.searchsorted(begins, time, side="right") - 1
    return [
        steps[i].instrument if i >= 0 and moment < steps[i].end_ns else None
        for i, moment in zip(index.tolist(), time.tolist(), strict=True)
    ]


def _cell(value: float) -> Cell:
    return None if np.isnan(value) else value
