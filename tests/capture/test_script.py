"""Scripts and modules run as Python runs them: the same words, the same codes, the same tracebacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.capture import script
from perfkit.io import rundir

PROGRAMS = Path(__file__).parents[1] / "programs"
PROFILE = ["-m", "perfkit", "profile", "-q", "--no-report"]


def run(*words, cwd, env=None):
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        timeout=120,
    )


@pytest.mark.parametrize(("how", "code"), [("raise", 1), ("exit", 7), ("message", 1)])
def test_a_script_cannot_tell_that_it_is_profiled(tmp_path, how, code):
    words = [PROGRAMS / "semantics.py", how, "--flag", "-m", "--out"]
    plain = run(*words, cwd=tmp_path)
    profiled = run(*PROFILE, *words, cwd=tmp_path)
    assert profiled.stdout == plain.stdout
    assert profiled.stderr == plain.stderr
    assert (profiled.returncode, plain.returncode) == (code, code)
    (directory,) = (tmp_path / "profiles").iterdir()
    assert rundir.load(directory).exit_code == code


def test_a_package_cannot_tell_either(tmp_path):
    words = ["-m", "parcel", "one", "--two"]
    plain = run(*words, cwd=PROGRAMS)
    profiled = run(*PROFILE, "--out", tmp_path / "run", *words, cwd=PROGRAMS)
    assert profiled.stdout == plain.stdout
    ours = [line for line in plain.stderr.splitlines() if "frozen runpy" not in line]
    assert profiled.stderr.splitlines() == ours
    assert profiled.returncode == 1
    assert rundir.load(tmp_path / "run").ended == "RuntimeError before the first step"


def test_errors_inside_modules_show_no_frame_of_ours(tmp_path):
    (tmp_path / "fails.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        raise ValueError('inside')\n"
        "Net()(torch.ones(1))\n"
    )
    done = run(*PROFILE, "fails.py", cwd=tmp_path)
    assert done.stderr.count("ValueError: inside") == 1
    assert "perfkit" not in done.stderr


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_dataloader_workers_neither_crash_nor_record(tmp_path, start):
    done = run(*PROFILE, "--out", "run", PROGRAMS / "workers.py", start, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "total 19840.0\n", "")
    recorded = rundir.load(tmp_path / "run")
    assert recorded.step_marker == "DataLoader batch"
    assert len(recorded.steps) == 8
    assert not [sync for sync in recorded.syncs if sync.site.function == "__getitem__"]


@pytest.mark.parametrize(
    ("number", "code", "ended"),
    [
        (signal.SIGINT, 130, "KeyboardInterrupt in step"),
        (signal.SIGTERM, 143, "SIGTERM in step"),
        (signal.SIGKILL, -9, "was still running"),
    ],
)
def test_a_program_that_is_stopped_leaves_a_run_that_opens(tmp_path, number, code, ended):
    words = [*PROFILE, "--out", "run", "--steps", "3", "--warmup", "1", PROGRAMS / "endless.py"]
    with subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as program:
        try:
            assert program.stdout.readline() == "going\n"
            program.send_signal(number)
            _, errors = program.communicate(timeout=60)
        finally:
            program.kill()
    assert program.returncode == code
    assert "perfkit" not in errors
    recorded = rundir.load(tmp_path / "run")
    assert recorded.ended.startswith(ended)
    assert {"bare", "deep", "light"} <= {step.instrument for step in recorded.steps}


def test_what_is_no_script_is_told_before_anything_runs(tmp_path):
    (tmp_path / "image.py").write_bytes(b"\x89PNG\0\0")
    for path, words in [("none.py", "no script"), (".", "directory"), ("image.py", "not Python")]:
        with pytest.raises(PerfkitError, match=words):
            script.script(str(tmp_path / path), [])


def test_a_script_that_does_not_compile_is_its_own_error(tmp_path):
    (tmp_path / "typo.py").write_text("def f(:\n")
    with pytest.raises(SyntaxError):
        script.script(str(tmp_path / "typo.py"), [])


def test_our_frames_are_cut_from_causes_too():
    def ours():
        try:
            script.script("/nowhere/none.py", [])
        except PerfkitError as error:
            raise ValueError from error

    with pytest.raises(ValueError) as caught:
        ours()
    script.without_our_frames(caught.value)
    tracebacks = [caught.value.__traceback__, caught.value.__cause__.__traceback__]
    while traceback := tracebacks.pop() if tracebacks else None:
        assert "perfkit/capture" not in traceback.tb_frame.f_code.co_filename
        if traceback.tb_next:
            tracebacks.append(traceback.tb_next)
