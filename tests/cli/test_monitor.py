"""`perfkit monitor` as a user types it: what is written, what is printed, whose exit code it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perfkit.cli import _gauges
from perfkit.io.rundir import load, load_diagnosis
from tests.capture.nvml_library import WHOLE, environment, library, script

__all__ = ["library"]
BUSY = "import time\nend = time.monotonic() + {}\nwhile time.monotonic() < end: pass\n"


def monitor(*words: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "perfkit", "monitor", *words],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name one thing to watch"),
        (["--pid", "1", "--", "true"], "name one thing to watch"),
        (["--", "no-such-command"], "cannot start no-such-command"),
        (["--pid", "4194305"], "there is no process 4194305"),
        (["--hz", "0", "--", "true"], "--hz"),
    ],
)
def test_a_mistake_is_told_and_leaves_nothing(tmp_path: Path, words: list[str], said: str) -> None:
    code, out, err = ended(monitor(*words, cwd=tmp_path))
    assert (code, out, said in err) == (2, "", True), err
    assert not list(tmp_path.rglob("run.json"))


def test_a_command_keeps_its_output_and_exit_code_and_leaves_a_run(tmp_path: Path) -> None:
    program = f"{BUSY.format(1)}print('mine')\nraise SystemExit(7)"
    words = ["--out", "run", "--every", "0.2", "--", sys.executable, "-c", program]
    code, out, err = ended(monitor(*words, cwd=tmp_path))
    assert (code, out) == (7, "mine\n"), err
    assert "| host: process" in err
    assert "exit code 7; on average it used" in " ".join(err.split())
    run = load(tmp_path / "run")
    assert (run.source, run.exit_code, run.steps) == ("monitor", 7, ())
    assert len(run.samples[0]) > 5
    assert run.samples[0].series["process_rss"].values[0] > 0
    assert (tmp_path / "reports" / "run.html").is_file()
    tables = load_diagnosis(tmp_path / "run").tables
    assert {"host_samples", "device_timeline"} <= tables.keys()
    again = [sys.executable, "-m", "perfkit", "report", "run", "--markdown"]
    shown = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "cores used by the process" in shown.stdout, shown.stderr


def test_gpus_that_the_command_sees_are_sampled(tmp_path: Path, library: Path) -> None:
    env = environment(library, script(tmp_path / "s", WHOLE, {**WHOLE, "utilisation": 12}))
    env["CUDA_VISIBLE_DEVICES"] = "1"
    words = ["--out", "run", "-q", "--no-report", "--", sys.executable, "-c", BUSY.format(0.6)]
    code, _, err = ended(monitor(*words, cwd=tmp_path, env=env))
    assert (code, err) == (0, "")
    run = load(tmp_path / "run")
    assert [each.subject for each in run.samples] == ["host", "device 0"]
    assert run.samples[1].identity["uuid"] == "GPU-1111"
    assert set(run.samples[1].series["sm_utilisation"].values.tolist()) == {0.12}
    assert "GPU 0 was busy 12%" in load_diagnosis(tmp_path / "run").verdict.what


def test_ctrl_c_ends_the_watching_of_a_process_and_leaves_it_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        watching = monitor("--pid", str(other.pid), "--every", "0.1", "--no-report", cwd=tmp_path)
        assert watching.stderr is not None
        assert "host" in watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        code, _, err = ended(watching)
        assert (code, other.poll()) == (0, None), err
        other.kill()
    (run,) = (tmp_path / "profiles").glob("pid-*")
    assert load(run).ended == "was looked at until perfkit was told to stop"


def test_the_end_of_a_watched_process_ends_the_watching(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        watching = monitor("--pid", str(other.pid), "--every", "0.1", "--out", "r", cwd=tmp_path)
        assert watching.stderr is not None
        watching.stderr.readline()
        other.kill()
        other.wait()
        code, _, err = ended(watching)
    assert code == 0, err
    run = load(tmp_path / "r")
    assert (run.ended, run.exit_code) == ("ran to its end", None)


def test_ctrl_c_reaches_the_command_which_ends_as_it_likes(tmp_path: Path) -> None:
    program = (
        "import time\nprint('up', flush=True)\n"
        "try: time.sleep(60)\nexcept KeyboardInterrupt: raise SystemExit(5)\n"
    )
    words = ["--out", "run", "-q", "--no-report", "--", sys.executable, "-c", program]
    watching = subprocess.Popen(
        [sys.executable, "-m", "perfkit", "monitor", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == "up\n"
    time.sleep(0.2)
    os.killpg(watching.pid, signal.SIGINT)
    code, _, err = ended(watching)
    assert code == 5, err
    assert load(tmp_path / "run").exit_code == 5


def test_what_is_not_known_is_a_dash_and_no_zero() -> None:
    from rich.console import Console

    latest = {"host": {"process_cpu": 1.5, "workers": 0.0}, "device 0": {"power": 612.4}}
    console = Console(width=200, file=None)
    with console.capture() as shown:
        console.print(_gauges.table(latest, "process 7"))
    text = " ".join(shown.get().split())
    assert "process 1.5 cores memory – children 0 theirs –" in text
    assert "device 0 busy – memory – power 612 W" in text
    line = _gauges.line(latest, 12.3)
    assert line == "12 s | host: process 1.5 cores, children 0 | device 0: power 612 W"
