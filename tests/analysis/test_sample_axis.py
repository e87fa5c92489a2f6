"""Samples and the trace on one axis, with real clocks and with drawn ones."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from perfkit.analysis.device_work import device_work
from perfkit.analysis.sample_axis import kernel_busy, trace_to_monotonic, utilisation
from perfkit.analysis.spans import union
from perfkit.base.errors import NotObservable
from perfkit.capture.sampler import wall_offset
from perfkit.io.chrome import read_trace
from perfkit.io.tb_compat import convert
from perfkit.model.events import Events
from tests.kineto_traces import document, gpu_events, write
from tests.sampled import MS, NAN, WALL, device, sampled_run


def events(tmp_path: Path, base: int | None = WALL) -> Events:
    fields = {} if base is None else {"baseTimeNanoseconds": base}
    return read_trace(write(tmp_path / "t.json", document(gpu_events(), **fields)))


def test_a_trace_of_another_day_is_not_put_on_the_axis(tmp_path: Path) -> None:
    with pytest.raises(NotObservable, match="apart"):
        trace_to_monotonic(events(tmp_path, WALL + 86_400_000_000_000), device(power=[1, 2]))
    with pytest.raises(NotObservable, match="apart"):
        trace_to_monotonic(events(tmp_path, None), device(power=[1, 2]))


def test_base_and_offset_bring_a_trace_onto_the_samples_clock(tmp_path: Path) -> None:
    assert trace_to_monotonic(events(tmp_path), device(power=[1])) == 0
    later = replace(device(power=[1]), wall_offset_ns=WALL - 7)
    assert trace_to_monotonic(events(tmp_path), later) == 7


@pytest.mark.parametrize("converted", [False, True], ids=["as Kineto wrote it", "for TensorBoard"])
def test_a_real_trace_lies_within_5_ms_of_the_clocks_it_was_made_under(
    tmp_path: Path, converted: bool
) -> None:
    torch.set_num_threads(1)
    moments = []
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(3):
            moments.append(time.monotonic_ns())
            with torch.profiler.record_function("here"):
                time.sleep(0.002)
    path = tmp_path / "t.json"
    profile.export_chrome_trace(str(path))
    if converted:
        convert(path, tmp_path / "t.pt.trace.json.gz")
        path = tmp_path / "t.pt.trace.json.gz"
    trace = read_trace(path)
    seen = device(power=[1, 2])
    seen = replace(seen, wall_offset_ns=wall_offset(), time=np.array(moments[:2], np.int64))
    shift = trace_to_monotonic(trace, seen)
    marks = trace.start[trace.named(["here"])] + shift
    assert len(marks) == 3
    assert all(abs(mark - moment) < 5 * MS for mark, moment in zip(marks, moments, strict=True))


def test_kernel_busy_in_stretches(tmp_path: Path) -> None:
    work = device_work(events(tmp_path))
    busy = kernel_busy(work, 0, (1_000_000, 2_000_000), 10)
    assert busy.share.tolist() == pytest.approx(
        [0, 0, 1, 1, 1, 0.405, 0.1 * 0.225, 0, 0, 0], abs=0.2
    )
    assert busy.share[2:5].tolist() == [1, 1, 1]
    total = float((busy.share * np.diff(busy.edges)).sum())
    assert total == pytest.approx(work.busy.covered_in(1_000_000, 2_000_000))


def covered(share: float, steps: int) -> object:
    """A device that was busy for the first part of each step."""
    starts = np.arange(steps, dtype=np.int64) * 100 * MS
    return union(starts, starts + round(share * 100 * MS))


@pytest.mark.parametrize(
    ("nvml", "kernels", "words"),
    [
        (1.0, 0.31, "NVML says 100%: some kernel was resident"),
        (1.0, 0.31, "kernels covered 31% of SM time at most"),
        (0.2, 0.9, "its periods also hold what was between"),
        (0.9, 0.88, "agree; neither tells how much of the device"),
    ],
)
def test_what_the_two_say_together(nvml: float, kernels: float, words: str) -> None:
    run = sampled_run("l" * 12, device(sm_utilisation=[nvml] * 24))
    found = utilisation(run.samples[0], 0, run.steps, covered(kernels, 12))
    assert (found.samples, found.nvml) == (24, pytest.approx(nvml))
    assert found.kernels == pytest.approx(kernels)
    assert words in found.words
    assert "looks back" not in found.words


def test_short_phases_say_that_nvml_looks_back() -> None:
    run = sampled_run("lll", device(sm_utilisation=[1.0] * 6))
    found = utilisation(run.samples[0], 0, run.steps, covered(0.3, 3))
    assert "NVML looks back up to 1 s, and the traced steps took 300 ms" in found.words


def test_what_was_not_observed_is_not_zero() -> None:
    run = sampled_run("bb", device(sm_utilisation=[1.0] * 4))
    found = utilisation(run.samples[0], 0, run.steps, None)
    assert (found.samples, found.nvml, found.kernels) == (0, None, None)
    assert "neither was observed" in found.words
    blind = device(power=[1] * 4, sm_utilisation=[NAN] * 4, unavailable=[("utilisation", "MIG")])
    found = utilisation(blind, 0, sampled_run("ll").steps, covered(0.5, 2))
    assert (found.nvml, found.kernels) == (None, pytest.approx(0.5))
    assert "not available because MIG" in found.words
    found = utilisation(device(sm_utilisation=[1] * 4), 0, sampled_run("ll").steps, None)
    assert (found.nvml, found.kernels) == (1.0, None)
