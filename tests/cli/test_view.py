from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.capture import doctor
from perfkit.capture.doctor import Check
from perfkit.capture.kineto import KinetoTrace
from perfkit.cli import view
from perfkit.exports.scalars import FILE
from perfkit.exports.tensorboard import tensorboard
from perfkit.io.rundir import load_diagnosis
from tests.kineto_traces import KERNEL_US, document, gpu_events, write

RECORDED = Path(__file__).resolve().parents[2] / "profiles" / "ctr-found"


def refusal(*arguments: str) -> PerfkitError:
    result = CliRunner().invoke(view.command, [*arguments, "--no-open"])
    assert isinstance(result.exception, PerfkitError), result.output
    return result.exception


def test_a_place_that_does_not_exist_is_told(tmp_path: Path) -> None:
    assert "does not exist" in str(refusal(str(tmp_path / "nowhere")))


def test_a_folder_without_a_trace_is_told(tmp_path: Path) -> None:
    (tmp_path / "kineto.json.gz").write_bytes(b"")
    assert "there is no run in" in str(refusal(str(tmp_path)))


def test_a_file_that_is_no_trace_is_told(tmp_path: Path) -> None:
    assert "is not a trace" in str(refusal(str(write(tmp_path / "a.json", b"hello"))))


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    write(tmp_path / "w.pt.trace.json", document(gpu_events()))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} is in use" in str(refusal(str(tmp_path), "--port", str(port)))


@pytest.mark.parametrize("name", ["check_tensorboard", "check_plugin"])
def test_missing_tensorboard_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    gone = Check("tensorboard", "missing", "not installed", "pip install tensorboard")
    monkeypatch.setattr(doctor, name, lambda: gone)
    assert "pip install tensorboard" in str(refusal(str(tmp_path)))


def test_a_run_is_found_by_its_name_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path / "profiles" / "mine" / "w.pt.trace.json", document(gpu_events()))
    monkeypatch.chdir(tmp_path)
    with view.logdir(Path("mine")) as folder:
        assert folder == Path("profiles/mine")


def test_a_trace_file_gets_a_folder_for_as_long_as_it_is_shown(tmp_path: Path) -> None:
    source = write(tmp_path / "h100.json.gz", document(gpu_events()))
    with view.logdir(source) as folder:
        assert [file.name for file in folder.rglob("*.gz")] == ["h100.pt.trace.json.gz"]
    assert not folder.exists()


def test_curves_are_written_for_runs_that_have_none(tmp_path: Path) -> None:
    folder = tmp_path / "nested" / "run"
    shutil.copytree(RECORDED, folder)
    view.with_scalars(tmp_path)
    first = (folder / FILE).stat()
    assert first.st_size > 500
    view.with_scalars(tmp_path)
    assert (folder / FILE).stat().st_mtime_ns == first.st_mtime_ns


def test_a_run_that_does_not_open_gets_no_curves_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "diagnosis.json").write_text("{")
    view.with_scalars(tmp_path)
    assert [file.name for file in (tmp_path / "bad").iterdir()] == ["diagnosis.json"]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["diagnosis.json"], ["PERFKIT (reports)"]),
        (["run.json", "w.pt.trace.json"], ["PERFKIT (reports)", "blank without network"]),
        (["w.pt.trace.json"], ["the tab is PYTORCH_PROFILER", "blank without network"]),
    ],
)
def test_it_says_what_is_to_be_seen_where(
    tmp_path: Path, files: list[str], told: list[str]
) -> None:
    for name in files:
        (tmp_path / name).touch()
    lines = list(view._tabs(tmp_path))
    assert len(lines) == len(told)
    assert all(words in line for words, line in zip(told, lines, strict=True))


def test_the_first_free_port_is_taken() -> None:
    port = view.free_port()
    assert 6006 <= port < 6056


# A real TensorBoard.


class Plugin:
    """The profiler plugin's HTTP interface."""

    def __init__(self, port: int) -> None:
        self._root = f"http://localhost:{port}/data/plugin/pytorch_profiler/"

    def get(self, route: str, **arguments: str) -> Any:
        query = urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(f"{self._root}{route}?{query}", timeout=30) as reply:
            return json.load(reply)

    def worker(self, run: str, route: str, **arguments: str) -> Any:
        (worker,) = self.get("workers", run=run, view="Overview")
        (span,) = self.get("spans", run=run, worker=worker) or [""]
        known = {"span": span} if span else {}
        return self.get(route, run=run, worker=worker, **known, **arguments)

    def operators(self, run: str) -> dict[str, dict[str, Any]]:
        rows = self.worker(run, "operation/table", group_by="Operation")["data"]
        return {row["name"]: row for row in rows}


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """TensorBoard on three runs: captured here, a GPU's as converted, and the same untouched."""
    root = tmp_path_factory.mktemp("profiles")
    torch.set_num_threads(1)
    trace = KinetoTrace()
    trace.start()
    for _ in range(2):
        (torch.ones(8, 8) @ torch.ones(8, 8)).sum()
        trace.step()
    trace.stop()
    (root / "cpu").mkdir()
    trace.export(root / "cpu", "worker")
    source = write(root.parent / "gpu.json.gz", document(gpu_events()))
    tensorboard(source, root / "gpu")
    write(root / "untouched" / "gpu.pt.trace.json", document(gpu_events()))
    port = view.free_port()
    with view.serving(root, port) as (_, url):
        assert url.endswith("#pytorch_profiler")  # there is no run of ours
        yield Plugin(port)


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.mark.slow
def test_tensorboard_lists_the_runs(plugin: Plugin) -> None:
    assert plugin.get("runs")["runs"] == ["cpu", "gpu", "untouched"]


@pytest.mark.slow
def test_tensorboard_shows_a_run_captured_here_once(plugin: Plugin) -> None:
    (worker,) = plugin.get("workers", run="cpu", view="Overview")
    assert worker == "worker"
    overview = plugin.worker("cpu", "overview")
    assert [row[0] for row in overview["steps"]["rows"]] == ["0", "1"]
    assert plugin.operators("cpu")["aten::mm"]["calls"] == 2


@pytest.mark.slow
def test_tensorboard_shows_the_right_device_time(plugin: Plugin) -> None:
    operators = plugin.operators("gpu")
    assert operators["aten::addmm"]["device_self_duration"] == 2 * KERNEL_US
    assert operators["aten::linear"]["device_total_duration"] == 2 * KERNEL_US
    assert operators["triton_poi_fused_0"]["device_self_duration"] == 80
    kernels = plugin.worker("gpu", "kernel/table", group_by="Kernel")["data"]["rows"]
    assert {row[0]: row[3] for row in kernels}["gemm"] == 2 * KERNEL_US


@pytest.mark.slow
def test_tensorboard_counts_each_step_once_and_sees_the_gpu_busy(plugin: Plugin) -> None:
    overview = plugin.worker("gpu", "overview")
    assert [row[0] for row in overview["steps"]["rows"]] == ["0", "1"]
    shares = {row["name"]: row["value"] for row in overview["performance"][0]["children"]}
    assert shares["Kernel"] == pytest.approx((KERNEL_US + 40), abs=1)


@pytest.mark.slow
def test_without_conversion_tensorboard_would_show_no_device_time(plugin: Plugin) -> None:
    """Guards the conversion: the same trace untouched has zeros where the device time should be."""
    operators = plugin.operators("untouched")
    assert "aten::addmm" in operators
    assert all(not row.get("device_self_duration") for row in operators.values())


@pytest.mark.slow
def test_the_profiler_and_the_report_tell_the_same_of_a_recorded_run(tmp_path: Path) -> None:
    shutil.copytree(RECORDED, tmp_path / "ctr")
    tables = load_diagnosis(RECORDED).tables
    port = view.free_port()
    with view.serving(tmp_path, port) as (_, url):
        assert url == f"http://localhost:{port}/#perfkit"
        plugin = Plugin(port)
        deadline = time.monotonic() + 60
        while not plugin.get("runs")["runs"] and time.monotonic() < deadline:
            time.sleep(0.2)
        overview = plugin.worker("ctr", "overview")
        operators = plugin.operators("ctr")
    steps: dict[object, int] = {}
    for row in tables["step_breakdown"].records():
        if row["side"] == "host":
            steps[row["step"]] = steps.get(row["step"], 0) + int(row["time_ns"] or 0)
    assert [row[0] for row in overview["steps"]["rows"]] == [str(step) for step in steps]
    average = sum(steps.values()) / len(steps) / 1000
    assert overview["performance"][0]["value"] == pytest.approx(average, abs=1)
    same, nested = 0, set()
    for ours in tables["operators"].records():
        theirs = operators.get(str(ours["name"]))
        if theirs is None or ours["place"] != "host":
            continue
        calls, own_us, total_us = (
            float(ours[key] or 0) * len(steps) / scale
            for key, scale in (("calls", 1), ("self_ns", 1000), ("total_ns", 1000))
        )
        assert theirs["calls"] == round(calls)
        assert theirs["host_self_duration"] == pytest.approx(own_us, abs=1)
        if theirs["host_total_duration"] != pytest.approx(total_us, abs=1):
            nested.add(ours["name"])
        same += 1
    # these call themselves, and the plugin counts their time twice
    assert nested == {"aten::arange", "aten::repeat_interleave"}
    assert same > 50


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_tensorboard_too(tmp_path: Path, number: int) -> None:
    write(tmp_path / "w.pt.trace.json", document(gpu_events()))
    program = "from perfkit.cli.view import command; command()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), "--no-open"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        port = int(line.rsplit(":", 1)[1].split("/")[0])
        process.send_signal(number)
        code = process.wait(timeout=30)
        assert code == (0 if number == signal.SIGINT else 128 + number)
        deadline = time.monotonic() + 5
        while view._in_use(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not view._in_use(port)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
