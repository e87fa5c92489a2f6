"""Ranks of one launch find one folder without talking to each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from perfkit.io.launch import Rank, launch_name, rank_folders, this_rank

_ENV = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID")


@pytest.fixture
def launched(monkeypatch):
    """`launched(RANK="1", ...)`: the launcher's variables, and no others."""

    def put(**env: str) -> None:
        for name in (*_ENV, "TORCHELASTIC_RESTART_COUNT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"RANK": "0"},
        {"RANK": "0", "WORLD_SIZE": "1"},
        {"RANK": "zero", "WORLD_SIZE": "2"},
    ],
    ids=["nobody", "no-size", "one", "no-number"],
)
def test_a_process_on_its_own_has_no_rank(launched, env):
    launched(**env)
    assert this_rank() is None


def test_a_rank_is_what_the_launcher_says(launched):
    launched(RANK="3", WORLD_SIZE="8")
    assert this_rank() == Rank(3, 8)
    assert Rank(3, 8).folder == "rank3"


def test_children_of_one_launcher_agree_on_the_name(launched):
    launched(RANK="0", WORLD_SIZE="2", LOCAL_WORLD_SIZE="2")
    code = "from perfkit.io.launch import launch_name; print(launch_name('train'))"
    names = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
        for _ in range(2)
    }
    assert len(names) == 1
    assert names.pop().startswith("train-2")


def test_several_nodes_agree_by_the_id_of_the_launch(launched):
    launched(RANK="9", WORLD_SIZE="16", LOCAL_WORLD_SIZE="8", TORCHELASTIC_RUN_ID="job7")
    assert launch_name("train") == "train-job7"


def test_a_restart_is_a_launch_of_its_own(launched):
    launched(
        RANK="0",
        WORLD_SIZE="16",
        LOCAL_WORLD_SIZE="8",
        TORCHELASTIC_RUN_ID="job7",
        TORCHELASTIC_RESTART_COUNT="2",
    )
    assert launch_name("train") == "train-job7-restart2"


def test_runs_of_a_launch_are_found_by_number(tmp_path: Path):
    for name in ("rank10", "rank2", "rank0", "rank1x", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").touch()
    (tmp_path / "rank3").mkdir()
    assert [path.name for path in rank_folders(tmp_path)] == ["rank0", "rank2", "rank10"]
    assert rank_folders(tmp_path / "none") == []
    assert os.listdir(tmp_path / "rank3") == []
