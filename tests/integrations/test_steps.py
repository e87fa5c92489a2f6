"""A capture that is driven by hooks, without any framework."""

from __future__ import annotations

import pytest
import torch

import perfkit
from perfkit.capture import instrument
from perfkit.integrations._steps import Steps
from perfkit.io import rundir

FEW = {"device": "cpu", "warmup": 0, "steps": 3}


@pytest.fixture
def told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return []


def work(steps: Steps, count: int) -> None:
    for _ in range(count):
        torch.relu(torch.ones(4)).sum()
        steps.step()


def test_hooks_of_a_loop_that_never_began_do_nothing(told, tmp_path):
    steps = Steps("loop", FEW, told.append)
    steps.step()
    steps.pause()
    steps.resume()
    steps.finish()
    assert (told, steps.profile, list(tmp_path.iterdir())) == ([], None, [])


def test_inside_of_another_capture_it_stands_aside_for_good(told, tmp_path):
    steps = Steps("loop", FEW, told.append)
    with perfkit.profile("outer", out=tmp_path / "run", **FEW):
        steps.start()
        work(steps, 2)
    steps.start()
    assert (told, steps.profile) == ([], None)


def test_it_ends_with_the_last_step_it_needs_and_does_not_begin_again(told, tmp_path):
    steps = Steps("loop", FEW, told.append)
    steps.start()
    work(steps, 10)
    assert instrument.active() is None
    assert told == [steps.profile]
    steps.start()
    assert instrument.active() is None
    (written,) = (tmp_path / "profiles").iterdir()
    assert len(rundir.load(written).steps) == 4  # one leads in the deep step
    assert (tmp_path / "reports" / f"{written.name}.html").is_file()


def test_a_page_goes_where_it_was_asked_for(told, tmp_path):
    steps = Steps("loop", {**FEW, "report": tmp_path / "page.html", "out": tmp_path / "run"})
    steps.start()
    work(steps, 10)
    assert (tmp_path / "page.html").is_file()
    assert not (tmp_path / "reports").exists()


def test_nothing_of_a_pause_is_in_a_step(told):
    steps = Steps("loop", {**FEW, "steps": 9})
    steps.start()
    for _ in range(4):
        work(steps, 1)
        steps.pause()
        with perfkit.instrument("evaluation"):
            torch.ones(2).sum()
        steps.resume()
    steps.finish()
    assert len(steps.profile.run.steps) >= 4
    assert [one for one in steps.profile.run.regions if one.step is not None] == []


def test_an_error_is_in_the_run_and_nobody_is_told_numbers(told):
    steps = Steps("loop", FEW, told.append)
    steps.start()
    work(steps, 2)
    steps.finish(KeyError("x"))
    assert told == []
    assert steps.profile.run.ended == "KeyError in step 2"


def test_a_place_that_cannot_be_written_ends_no_training(told, tmp_path):
    (tmp_path / "file").touch()
    steps = Steps("loop", {**FEW, "out": tmp_path / "file" / "run"})
    with pytest.warns(RuntimeWarning, match="measures nothing here: cannot write"):
        steps.start()
    work(steps, 1)
    assert instrument.active() is None
