"""`perfkit peaks`: which figure is measured and which is a maker's, and nothing measured unasked."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from perfkit.base.errors import NotObservable, PerfkitError
from perfkit.capture import peaks as capture
from perfkit.cli.peaks import command
from perfkit.model.peaks import Peak, Peaks

OWN = Peaks(
    "Some CPU (2 threads)",
    {"float32": Peak(200e9, "measured", "torch.mm")},
    bandwidth=Peak(11e9, "measured", "torch copy"),
    host_op_ns=Peak(900, "measured", "torch.add"),
)


@pytest.fixture(autouse=True)
def never_measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    asked: list[tuple[str, bool]] = []

    def measured(device: str, again: bool) -> Peaks:
        asked.append((device, again))
        return OWN

    monkeypatch.setattr(capture, "measured_here", measured)
    monkeypatch.setattr(capture, "cached_here", lambda device: None)
    return asked


def _call(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, env={"COLUMNS": "160"}, catch_exceptions=False)


def test_help_needs_no_torch() -> None:
    program = (
        "import sys; import perfkit.cli.peaks; assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("arguments", [("--list",), ("--show", "h100"), ("--list", "--json")])
def test_asking_the_table_measures_nothing(arguments, never_measured) -> None:
    assert _call(*arguments).exit_code == 0
    assert never_measured == []


@pytest.mark.parametrize(
    "arguments",
    [("--list", "--show", "t4"), ("--list", "--again"), ("--show", "t4", "--device", "cpu")],
)
def test_questions_that_exclude_each_other_are_refused(arguments) -> None:
    assert _call(*arguments).exit_code == 2


def test_an_unknown_device_is_a_mistake_with_a_next_step() -> None:
    with pytest.raises(PerfkitError) as raised:
        _call("--show", "rtx 4090 laptop")
    assert "perfkit peaks --list" in raised.value.hint


def test_a_pretend_device_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: str, again: bool) -> Peaks:
        raise NotObservable("a pretend device is active")

    monkeypatch.setattr(capture, "measured_here", refuse)
    with pytest.raises(PerfkitError, match="pretend"):
        _call("--device", "cpu")


def test_a_cpu_shows_only_what_was_measured(never_measured) -> None:
    output = _call("--device", "cpu", "--again").output
    assert never_measured == [("cpu", True)]
    assert "measured here: Some CPU (2 threads)" in output
    assert "200 GFLOP/s" in output and "11 GB/s" in output and "900 ns" in output
    assert "tabulated: nothing under this name" in output


def test_a_known_device_shows_its_sheet_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = replace(OWN, device="NVIDIA H100 80GB HBM3", bandwidth=Peak(3.0e12, "measured", "copy"))
    monkeypatch.setattr(capture, "measured_here", lambda device, again: gpu)
    output = _call("--device", "cpu").output
    line = next(line for line in output.splitlines() if line.startswith("memory"))
    assert line.split() == ["memory", "3,000", "GB/s", "3,352", "GB/s", "89%"]
    launch = next(line for line in output.splitlines() if line.startswith("launch"))
    assert "assumed" in launch and "%" not in launch


def test_a_sheet_says_dense_and_sparse_and_where_from() -> None:
    output = _call("--show", "NVIDIA H200").output
    line = next(line for line in output.splitlines() if "bfloat16" in line)
    assert "989.4 TFLOP/s" in line and "1,979 TFLOP/s" in line
    assert "NVIDIA H200 Tensor Core GPU data sheet (2024)" in output


def test_json_is_the_only_output_and_tells_both_apart() -> None:
    shown = json.loads(_call("--device", "cpu", "--json").stdout)
    assert shown["measured"]["matmul"]["float32"] == {
        "value": 200e9, "origin": "measured", "source": "torch.mm"
    }  # fmt: skip
    assert shown["tabulated"] is None
    sheet = json.loads(_call("--show", "b200", "--json").stdout)
    assert sheet["sparse"]["float16"] == 2 * sheet["tabulated"]["matmul"]["float16"]["value"]
    rows = json.loads(_call("--list", "--json").stdout)["table"]["rows"]
    assert {row[0] for row in rows} >= {"NVIDIA T4", "AMD Instinct MI355X"}
