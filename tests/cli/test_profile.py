"""The command as a user types it: what goes where, and the words of its errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[1] / "programs"
STEPS = ["--warmup", "1", "--steps", "3"]


def perfkit(*words, cwd, **env):
    return subprocess.run(
        [sys.executable, "-m", "perfkit", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=120,
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.py"], "there is no script none.py"),
        (["."], "is a directory"),
        (["image.py"], "not Python"),
        (["--bogus", "none.py"], "No such option"),
        ([], "name the script"),
        (["-m", "no_such_module_here"], "no module 'no_such_module_here'"),
        (["--out", "image.py/run", "fine.py"], "cannot write"),
        (["--out", "taken", "fine.py"], "never overwritten"),
    ],
)
def test_a_mistake_is_told_in_a_sentence_with_code_2(tmp_path, words, told):
    (tmp_path / "image.py").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "fine.py").write_text("print('ran')")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    done = perfkit("profile", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_script_that_does_not_compile_ends_as_under_python(tmp_path):
    (tmp_path / "typo.py").write_text("def f(:\n")
    plain = subprocess.run(
        [sys.executable, "typo.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    done = perfkit("profile", "typo.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, plain.stderr)


def test_a_script_without_steps_says_what_to_add_and_still_leaves_a_run(tmp_path):
    done = perfkit("profile", "-q", PROGRAMS / "no_steps.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == "tensor(64.)\n"
    assert "perfkit.step()" in done.stderr
    assert "--region" in done.stderr
    assert len(list((tmp_path / "profiles").iterdir())) == 1


def test_a_run_a_page_and_a_verdict(tmp_path):
    done = perfkit("profile", *STEPS, PROGRAMS / "train.py", "6", "cuda", cwd=tmp_path)
    plain = subprocess.run(
        [sys.executable, PROGRAMS / "train.py", "6"], capture_output=True, text=True, check=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout
    (directory,) = (tmp_path / "profiles").iterdir()
    page = tmp_path / "reports" / f"{directory.name}.html"
    assert directory.name.startswith("train-")
    names = {path.name for path in directory.iterdir()}
    assert {"run.json", "syncs.json", "diagnosis.json"} <= names
    assert any(name.endswith(".pt.trace.json.gz") for name in names)
    assert "train.py" in page.read_text()
    assert str(page) in done.stderr.replace("\n", "")


def test_json_alone_is_on_stdout(tmp_path):
    done = perfkit("profile", "--json", "--no-report", *STEPS, PROGRAMS / "train.py", cwd=tmp_path)
    assert json.loads(done.stdout)["schema"].startswith("perfkit.diagnosis/")
    assert done.stderr.startswith("0 0.")
    assert not (tmp_path / "reports").exists()


def test_ranks_share_the_folder_that_was_named_for_them(tmp_path):
    words = ["profile", "-q", "--no-report", "--out", "run", *STEPS, PROGRAMS / "train.py", "5"]
    for rank in "01":
        done = perfkit(*words, cwd=tmp_path, RANK=rank, WORLD_SIZE="2")
        assert done.returncode == 0, done.stderr
    inside = {path.name for path in (tmp_path / "run").iterdir()}
    assert inside == {"rank0", "rank1", "diagnosis.json"}


def test_stop_after_ends_the_script_and_succeeds(tmp_path):
    done = perfkit(
        "profile",
        "-q",
        "--no-report",
        "--stop-after",
        *STEPS,
        PROGRAMS / "endless.py",
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bug_of_ours_keeps_its_traceback_and_says_whose_it_is():
    code = "import perfkit.cli as c\nc.group.main = lambda *a, **k: 1 / 0\nc.main([])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "bug in perfkit" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_help_names_every_command():
    done = perfkit("--help", cwd=PROGRAMS)
    assert done.returncode == 0
    assert "profile" in done.stdout
