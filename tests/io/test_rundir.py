"""Runs on disk: round trip, damage, locks, never overwriting."""

from __future__ import annotations

import json
import multiprocessing

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.io import rundir
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.model.gap import LOST_SYNCS
from perfkit.model.memory import Held, Memory, StepMemory
from perfkit.model.run import Gap, OpStat, Region, Run, Step
from perfkit.model.syncs import Frame, Sync

HERE = Frame("/home/me/train.py", 12, "loss")
LIBRARY = Frame("/x/site-packages/lib/a.py", 3, "f")
RUN = Run(
    name="train",
    command=("perfkit", "profile", "a\udc80.py"),
    device="pretend-cuda",
    env={"torch": "2.13"},
    step_marker="optimizer.step",
    steps=(Step(0, "warm-up", 0, 10), Step(1, "deep", 10, 20)),
    syncs=(
        Sync("aten::nonzero", "nonzero", "d2h", "forward", (HERE,), 1, 3, seen_by=("dispatch",)),
        Sync(
            "aten::item", "item", "d2h", "backward", (LIBRARY, HERE), None, 1, caller=HERE, nbytes=8
        ),
        Sync("aten::item", "item", "d2h", "other", (), 1, 1, certain=False, region="part"),
    ),
    ops=(OpStat("aten::mm", "host", 3, 30, 20, None),),
    regions=(Region("part", 1, 2, 5, None),),
    launches_per_step=4.5,
    overhead={"light": 1.1, "deep": None},
    gaps=(Gap("device time", "no GPU"),),
    ended="ValueError in step 1",
    exit_code=1,
    memory=Memory(
        StepMemory(8, "forward", held=(Held("inputs", 8, 1, place=HERE),), stale_bytes=2), ((0, 5),)
    ),
)


def test_a_run_opens_as_it_was_saved(tmp_path):
    saved = rundir.save(RUN, tmp_path / "profiles" / "train")
    assert rundir.load(tmp_path / "profiles" / "train") == saved
    assert saved.syncs == RUN.syncs
    assert sorted(p.name for p in (tmp_path / "profiles").iterdir()) == ["train"]


def test_the_diagnosis_lies_beside_it(tmp_path):
    diagnosis = Diagnosis("train", Verdict("a", "b", "c"), Coverage(1, "one step"))
    rundir.save_diagnosis(tmp_path, diagnosis)
    assert rundir.load_diagnosis(tmp_path) == diagnosis


def test_writing_again_replaces_what_is_known_and_keeps_other_files(tmp_path):
    with rundir.reserved(tmp_path / "run") as directory:
        directory.write(RUN)
        (tmp_path / "run" / "trace").write_text("x")
        directory.write(Run(name="run", ended="later"))
    assert rundir.load(tmp_path / "run").ended == "later"
    assert (tmp_path / "run" / "trace").exists()


def test_nothing_is_on_disk_before_the_first_write(tmp_path):
    with rundir.reserved(tmp_path / "run") as directory:
        assert not directory.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_never_overwritten(tmp_path):
    rundir.save(RUN, tmp_path / "run")
    with pytest.raises(PerfkitError, match="never overwritten"):
        rundir.save(RUN, tmp_path / "run")


def test_two_writers_of_one_directory_are_told_to_part(tmp_path):
    with rundir.reserved(tmp_path / "run"), pytest.raises(PerfkitError, match=r"--out .*\$RANK"):
        rundir.save(RUN, tmp_path / "run")


def test_names_of_their_own_never_collide(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with (
        rundir.reserved_by_name(tmp_path, "my train") as one,
        rundir.reserved_by_name(tmp_path, "my train") as two,
    ):
        assert one.path != two.path
        assert one.launch.name.startswith("my_train-")
        assert one.path == one.launch / "rank1"
        assert one.name == f"{one.launch.name}-rank1"


@pytest.mark.parametrize(("rank", "inside"), [(None, "run"), ("1", "run/rank1")])
def test_a_capture_into_a_folder_of_the_users_choice(tmp_path, monkeypatch, rank, inside):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    with rundir.reserved_for_capture(tmp_path / "run", tmp_path, "train") as directory:
        assert directory.path == tmp_path / inside
        assert directory.launch == tmp_path / "run"


def _release(directory):
    directory.release()


def test_a_forked_child_gives_up_nothing(tmp_path):
    with rundir.reserved(tmp_path / "run") as directory:
        child = multiprocessing.get_context("fork").Process(target=_release, args=(directory,))
        child.start()
        child.join()
        with pytest.raises(PerfkitError, match="another process"):
            rundir.save(RUN, tmp_path / "run")


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PerfkitError, match="cannot write"):
        rundir.save(RUN, tmp_path / "file" / "run")


BROKEN = ["", "{", "[]", "null", "\x00", '{"schema": "other/1"}', '{"schema": "perfkit.run/1"}']


@pytest.mark.parametrize("text", [*BROKEN, '{"schema": "perfkit.run/1", "name": 3}'])
def test_a_foreign_or_broken_directory_is_told(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(PerfkitError, match=r"run\.json"):
        rundir.load(tmp_path)


def test_a_directory_without_a_run_is_told(tmp_path):
    with pytest.raises(PerfkitError, match="there is no run"):
        rundir.load(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "missing", "foreign", "indices"])
def test_damaged_syncs_become_a_gap(tmp_path, damage):
    rundir.save(RUN, tmp_path / "run")
    path = tmp_path / "run" / "syncs.json"
    if damage == "cut":
        path.write_text(path.read_text()[:-20])
    elif damage == "missing":
        path.unlink()
    elif damage == "foreign":
        path.write_text('{"schema": "perfkit.syncs/99"}')
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), "frames": []}))
    run = rundir.load(tmp_path / "run")
    assert run.syncs == ()
    assert run.gaps[-1].what == LOST_SYNCS


def test_a_trace_that_is_gone_becomes_a_gap(tmp_path):
    rundir.save(Run(name="run", trace="a.pt.trace.json.gz"), tmp_path / "run")
    run = rundir.load(tmp_path / "run")
    assert (run.trace, run.gaps[-1].what) == (None, "the trace")
