"""The section on samples: silent without them, the host alone, and both words with a GPU and a trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run
from perfkit.report import html
from perfkit.report.blocks import Block, Figure, Grid, Text
from perfkit.report.sections.device_timeline import section
from perfkit.rules import _engine, diagnose
from tests.analysis.test_sample_tables import traced_run
from tests.sampled import NAN, device, machine, sampled_run

HOSTILE = "</script><img src=x>"


def block(run: Run) -> Block:
    found = section(diagnosed(run))
    assert found is not None
    return found


def diagnosed(run: Run) -> Diagnosis:
    return diagnose(run, _engine.outcome)


def test_without_samples_it_says_nothing() -> None:
    assert section(diagnosed(Run("r"))) is None


def test_a_machine_without_a_gpu_shows_its_host_and_why_there_is_no_more() -> None:
    host = machine(
        process_cpu=[NAN, 1, 1.5, 2],
        process_rss=[1 << 30] * 4,
        unavailable=[("devices", "no NVIDIA driver is installed")],
    )
    figure, values, reasons = block(sampled_run("bb", host)).parts
    assert isinstance(figure, Figure) and isinstance(values, Grid) and isinstance(reasons, Grid)
    (line,) = figure.spec["data"]
    assert (line["name"], line["y"], line["yaxis"]) == ("process", [1, 1.5, 2], "y")
    assert "yaxis2" not in figure.spec["layout"]
    assert [[cell.text for cell in row] for row in values.rows] == [
        ["cores used by the process", "1", "1.5", "2", "3"],
        ["memory of the process", "1 GiB", "1 GiB", "1 GiB", "4"],
    ]
    assert reasons.folded.startswith("What the host's sampler could not tell")
    assert reasons.rows[0][1].text == "not available because no NVIDIA driver is installed"


def test_nvml_and_kernels_share_an_axis_above_the_host(tmp_path: Path) -> None:
    run = traced_run(tmp_path)
    run = replace(run, samples=(machine(process_cpu=[1, 1], workers_cpu=[3, 4]), *run.samples))
    found = block(run)
    figure, words = found.parts[:2]
    assert isinstance(figure, Figure) and isinstance(words, Text)
    assert [(line["name"], line["yaxis"]) for line in figure.spec["data"]] == [
        ("NVML utilisation", "y"),
        ("kernels in the trace", "y"),
        ("process", "y2"),
        ("workers", "y2"),
    ]
    assert figure.spec["data"][0]["y"] == [100, 100]
    assert 0 < max(figure.spec["data"][1]["y"]) <= 100
    assert figure.spec["layout"]["yaxis2"]["domain"] == [0, 0.3]
    assert "kernels covered 34% of SM time at most" in words.text


def test_energy_and_limited_clocks_are_told() -> None:
    gpu = device(
        power=[200.0] * 12,
        throttle=[0x44] * 12,
        sm_clock=[1.41e9] * 12,
        unavailable=[("utilisation", "NVML does not tell it")],
    )
    parts = block(sampled_run("wbbbbw", gpu)).parts
    text = next(part.text for part in parts if isinstance(part, Text))
    assert "A step takes 20.0 J (bare steps: power over time)." in text
    assert "not available because NVML does not tell it" in text
    grid = next(part for part in parts if isinstance(part, Grid))
    rows = {row[0].text: [cell.text for cell in row[1:4]] for row in grid.rows}
    assert rows["clocks limited: power cap"] == ["–", "100%", "–"]
    assert rows["SM clock"] == ["1,410 MHz"] * 3


def test_several_gpus_are_told_apart() -> None:
    many = [device(i, sm_utilisation=[0.5] * 4) for i in range(6)]
    figure = block(sampled_run("bb", *many)).parts[0]
    assert isinstance(figure, Figure)
    names = [line["name"] for line in figure.spec["data"]]
    assert names == [f"device {i}, NVML" for i in range(4)]


def test_reasons_never_become_markup() -> None:
    gpu = device(sm_utilisation=[1, 1], unavailable=[(HOSTILE, HOSTILE)])
    assert "<img" not in html.render(diagnosed(sampled_run("b", gpu)))
