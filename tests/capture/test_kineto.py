from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from perfkit.base.errors import PerfkitError
from perfkit.capture.kineto import ORIGINAL, KinetoTrace
from perfkit.io.chrome import read_trace


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def recorded(steps: int) -> KinetoTrace:
    trace = KinetoTrace()
    trace.start()
    for _ in range(steps):
        torch.ones(4).sum()
        trace.step()
    trace.stop()
    return trace


def test_what_was_never_started_exports_nothing(tmp_path: Path) -> None:
    trace = KinetoTrace()
    trace.step()
    trace.stop()
    assert trace.export(tmp_path, "w") is None
    assert list(tmp_path.iterdir()) == []


def test_a_profiler_that_already_runs_is_left_alone(tmp_path: Path) -> None:
    with torch.profiler.profile() as theirs:
        ours = KinetoTrace()
        ours.start()
        torch.ones(4).sum()
        ours.step()
        ours.stop()
        assert ours.export(tmp_path, "w") is None
        assert "a profiler of its own" in ours.gaps[0].why
    assert "aten::sum" in {event.key for event in theirs.key_averages()}


@pytest.mark.parametrize("still_runs", [False, True])
def test_a_profiler_that_starts_meanwhile_gets_its_way(tmp_path: Path, still_runs: bool) -> None:
    """torch 2.13 would silently end ours, and crash the process when ours is exported."""
    ours, theirs = KinetoTrace(), torch.profiler.profile()
    ours.start()
    torch.ones(4).sum()
    ours.step()
    theirs.start()
    torch.ones(4).cumsum(0)
    if not still_runs:
        theirs.stop()
    ours.step()
    ours.stop()
    name = ours.export(tmp_path, "w")
    if still_runs:
        theirs.stop()
    assert "started a profiler of its own" in ours.gaps[0].why
    assert name is not None
    events = read_trace(tmp_path / name)
    assert "aten::sum" in events.names and "aten::cumsum" not in events.names
    assert "aten::cumsum" in {event.key for event in theirs.key_averages()}


def test_torch_is_as_before_when_the_recording_ends() -> None:
    from torch.autograd import profiler

    before = profiler._prepare_profiler
    recorded(1)
    assert profiler._prepare_profiler is before


def test_each_step_has_its_mark_and_the_rest_has_none(tmp_path: Path) -> None:
    trace = recorded(3)
    name = trace.export(tmp_path, "w")
    assert name is not None
    events = read_trace(tmp_path / name)
    assert [step.number for step in events.steps()] == [0, 1, 2]
    assert int(events.named(["aten::sum"]).sum()) >= 3
    assert (events.gaps, trace.gaps) == ((), [])


def test_both_files_are_there_and_only_one_is_the_plugins(tmp_path: Path) -> None:
    from torch_tb_profiler.consts import WORKER_PATTERN

    name = recorded(1).export(tmp_path, "my worker/0")
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == sorted([ORIGINAL, str(name)])
    assert str(name).startswith("my_worker_0.")
    match = WORKER_PATTERN.match(str(name))
    assert match is not None and match.group(1) == "my_worker_0"
    assert WORKER_PATTERN.match(ORIGINAL) is None


def test_the_original_is_kinetos_own_json(tmp_path: Path) -> None:
    recorded(1).export(tmp_path, "w")
    data = json.loads(gzip.decompress((tmp_path / ORIGINAL).read_bytes()))
    assert data["schemaVersion"] == 1
    assert "ProfilerStep#0" in {event["name"] for event in data["traceEvents"]}


def test_a_recording_without_steps_exports_too(tmp_path: Path) -> None:
    name = recorded(0).export(tmp_path, "w")
    assert name is not None and (tmp_path / name).exists()


def test_a_running_recording_exports_nothing(tmp_path: Path) -> None:
    trace = KinetoTrace()
    trace.start()
    assert trace.export(tmp_path, "w") is None
    trace.stop()


def test_an_unwritable_place_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PerfkitError, match="cannot write"):
        recorded(1).export(tmp_path / "file", "w")


def test_other_threads_may_go_on_meanwhile(tmp_path: Path) -> None:
    trace = KinetoTrace()
    trace.start()
    worker = threading.Thread(target=lambda: torch.ones(4).sum())
    worker.start()
    worker.join()
    trace.step()
    trace.stop()
    assert trace.export(tmp_path, "w") is not None


def test_kineto_stays_silent_and_the_environment_as_it_was(tmp_path: Path) -> None:
    program = (
        "import os\n"
        "from pathlib import Path\n"
        "from perfkit.capture.kineto import KinetoTrace\n"
        "trace = KinetoTrace(); trace.start(); trace.step(); trace.stop()\n"
        f"trace.export(Path({str(tmp_path)!r}), 'w')\n"
        "assert 'KINETO_LOG_LEVEL' not in os.environ\n"
    )
    environment = {key: text for key, text in os.environ.items() if key != "KINETO_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_kernels_are_recorded_on_a_gpu(tmp_path: Path) -> None:
    trace = KinetoTrace()
    trace.start()
    (torch.ones(64, 64, device="cuda") @ torch.ones(64, 64, device="cuda")).sum().item()
    trace.step()
    trace.stop()
    name = trace.export(tmp_path, "w")
    assert name is not None and read_trace(tmp_path / name).has_device()
