"""Samples as tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perfkit.analysis.sample_tables import device_timeline_table, sample_tables, sampling_fact
from perfkit.io.chrome import read_trace
from perfkit.model.run import Run, Step
from tests.kineto_traces import document, gpu_events, write
from tests.sampled import EVERY, MS, NAN, WALL, device, machine, sampled_run


def traced_run(tmp_path: Path) -> Run:
    """Two light steps of 1 ms as the trace has them, one sample in each."""
    path = write(tmp_path / "t.json", document(gpu_events(), baseTimeNanoseconds=WALL))
    gpu = device(sm_utilisation=[1.0, 1.0], energy=[1.0, 2.0])
    gpu = replace(gpu, time=np.array([1_500_000, 2_500_000], np.int64))
    steps = (Step(0, "light", MS, 2 * MS), Step(1, "light", 2 * MS, 3 * MS))
    return Run("t", device="cuda", steps=steps, samples=(gpu,), events=read_trace(path))


def test_a_run_without_samples_has_no_table() -> None:
    assert sample_tables(Run("r")) == {}


def test_a_machine_without_a_gpu_has_the_hosts_half() -> None:
    run = sampled_run("bb", machine(cpu_busy=[0.5] * 4, unavailable=[("devices", "no driver")]))
    tables = sample_tables(run)
    assert tables.keys() == {"device_timeline", "host_samples"}
    rows = tables["host_samples"].records()
    assert [row["phase"] for row in rows] == ["whole", "bare steps", "whole"]
    assert rows[-1] == {
        "subject": "host",
        "phase": "whole",
        "quantity": "devices",
        "unit": "",
        "samples": 0,
        "low": None,
        "mean": None,
        "high": None,
        "why": "no driver",
    }


def test_kernels_and_nvml_on_one_axis(tmp_path: Path) -> None:
    tables = sample_tables(traced_run(tmp_path))
    (row,) = tables["utilisation"].records()
    assert (row["device"], row["samples"], row["nvml_utilisation"]) == (0, 2, 1.0)
    kernels = row["kernel_busy"]
    assert isinstance(kernels, float) and kernels == pytest.approx(0.343, abs=0.005)
    assert "kernels covered 34% of SM time at most" in str(row["words"])
    busy = tables["kernel_busy"].records()
    assert (busy[0]["from_ns"], busy[-1]["to_ns"]) == (-500_000, 1_500_000)
    shares = [row["share"] for row in busy]
    assert np.mean(np.array(shares, float)) == pytest.approx(kernels, abs=1e-3)


def test_single_cores_are_told_over_the_whole_time_only() -> None:
    run = sampled_run("bb", machine(cpu_core_0=[0.5] * 4, cpu_core_1=[1] * 4))
    rows = sample_tables(run)["host_samples"].records()
    assert [(row["quantity"], row["phase"]) for row in rows] == [
        ("cpu_core_0", "whole"),
        ("cpu_core_1", "whole"),
    ]


def test_values_over_time_know_their_step_and_why_clocks_were_low() -> None:
    run = sampled_run("wb", device(throttle=[0, 4, 1, NAN, 0], power=[1, 2, NAN, 4, 5]))
    rows = device_timeline_table(run.samples, run.steps).records()
    assert [row["phase"] for row in rows] == ["warm-up", "warm-up", "bare", "bare", None]
    assert [row["power"] for row in rows] == [1, 2, None, 4, 5]
    assert [row["held_back"] for row in rows] == [None, "power cap", None, None, None]
    assert [row["at_ns"] for row in rows] == [i * EVERY for i in range(5)]


def test_an_hour_of_samples_stays_a_small_table() -> None:
    values = [NAN, *range(70_000)]
    table = device_timeline_table((device(power=values, temperature=values),), ())
    assert 500 < len(table.rows) <= 600
    assert table.records()[0]["power"] == 0


def test_what_sampling_cost_is_a_fact() -> None:
    assert sampling_fact(Run("r")) == {}
    run = sampled_run("bb", machine(cpu_busy=[1] * 11))
    told = sampling_fact(run)["sampling"]
    assert told == "20 times a second, 11 moments, 0.20% of one core"
