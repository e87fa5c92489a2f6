"""Ranks of one launch: each judges its own run, the last one all of them; torchrun for real."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli import group
from perfkit.cli._rank_runs import conclude_capture, joined
from perfkit.io import rundir
from perfkit.io.launch import Rank
from tests.rank_traces import write_ranks
from tests.sample_runs import ctr_run

TRAIN = Path(__file__).parents[1] / "programs" / "train_ranks.py"
THREE = """
    0  kkAAAAA.BB
    1  kkkkkkA.BB
    2  kkAAAAA.BB
"""


def end(launch: Path, index: int, world: int, trace: Path | None = None):
    """One rank's end: its run is written and judged."""
    with rundir.reserved(launch / f"rank{index}") as directory:
        directory.rank = Rank(index, world)
        run = replace(ctr_run(), name=directory.name, trace=None if trace is None else trace.name)
        run = directory.write(run)
        if trace is not None:
            (directory.path / trace.name).write_bytes(trace.read_bytes())
        return conclude_capture(run, directory, launch.parent / "page.html")


def torchrun(*words: object, cwd: Path, **env: str):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, "-m", "perfkit", "profile", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_no_rank_speaks_for_all_before_the_last_has_ended(tmp_path):
    own, shown = end(tmp_path / "launch", 0, 2)
    assert (own.run, shown) == ("launch-rank0", None)
    assert not (tmp_path / "launch" / "diagnosis.json").exists()
    assert not (tmp_path / "page.html").exists()


def test_a_process_on_its_own_shows_its_own(tmp_path):
    with rundir.reserved(tmp_path / "run") as directory:
        own, shown = conclude_capture(directory.write(ctr_run()), directory, None)
    assert shown is own


def test_the_last_rank_joins_all_around_the_one_that_holds_them_up(tmp_path):
    traces = write_ranks(tmp_path / "traces", THREE)
    shown = [end(tmp_path / "launch", rank, 3, traces[rank])[1] for rank in range(3)]
    assert shown[:2] == [None, None]
    assert shown[2].run == "launch"
    assert shown[2].facts["rank in detail"] == "1"
    assert shown[2].tables["ranks"].rows
    assert rundir.load_diagnosis(tmp_path / "launch") == shown[2]
    assert (tmp_path / "page.html").is_file()
    assert [path.name for path in (tmp_path / "launch").iterdir() if path.name[0] == "."] == []


def test_ranks_that_cannot_be_compared_are_told_by_the_first(tmp_path):
    for rank in range(2):
        _, shown = end(tmp_path / "launch", rank, 2)
    assert shown.run == "launch"
    assert shown.coverage.gaps[0].startswith("comparison of the 2 ranks: fewer than two")
    assert shown.coverage.gaps[1] == "details: they are of launch-rank0"


def test_another_rank_at_it_is_left_to_it(tmp_path):
    end(tmp_path / "launch", 0, 2)
    (tmp_path / "launch" / ".joining").touch()
    assert end(tmp_path / "launch", 1, 2)[1] is None


def test_a_folder_without_ranks_is_told(tmp_path):
    with pytest.raises(PerfkitError, match="no run"):
        joined(tmp_path)


def test_report_joins_what_ranks_left_behind(tmp_path):
    end(tmp_path / "launch", 0, 3)
    end(tmp_path / "launch", 2, 3)
    done = CliRunner().invoke(group, ["report", str(tmp_path / "launch"), "--format", "json"])
    assert done.exit_code == 0, done.output
    assert '"run": "launch"' in done.output


@pytest.mark.slow
def test_torchrun_makes_one_run_of_two_ranks(tmp_path):
    done = torchrun("--device", "cpu", "--steps", 6, "--warmup", 2, TRAIN, 12, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (launch,) = (tmp_path / "profiles").iterdir()
    runs = [rundir.load(launch / f"rank{rank}") for rank in range(2)]
    kinds = [[step.instrument for step in run.steps] for run in runs]
    assert kinds[0] == kinds[1]
    assert [run.env["rank"] for run in runs] == ["0", "1"]
    assert rundir.load_diagnosis(launch).verdict.what.startswith("2 ranks")
    assert (tmp_path / "reports" / f"{launch.name}.html").is_file()
    assert done.stderr.count("Report") == 1


@pytest.mark.slow
def test_a_rank_that_fails_takes_no_run_along(tmp_path):
    done = torchrun("--device", "cpu", TRAIN, 30, 1, cwd=tmp_path)
    assert done.returncode != 0
    assert "this rank fails" in done.stderr
    (launch,) = (tmp_path / "profiles").iterdir()
    assert rundir.load(launch / "rank1").ended == "ValueError in step 4"
