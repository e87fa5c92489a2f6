"""Samples of a capture."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from perfkit.capture import sampling as module
from perfkit.capture.sampling import Sampling
from perfkit.capture.schedule import Limits
from perfkit.capture.session import Session, Settings
from perfkit.io import rundir
from perfkit.model.run import Run


def captured(tmp_path, hertz: float) -> Run:
    """A little training program under a session."""
    torch.set_num_threads(1)
    settings = Settings("cpu", Limits(steps=3, warmup=1), sample_hz=hertz)
    with rundir.reserved(tmp_path / "run") as directory:
        session = Session(settings, directory)
        with session:
            model = torch.nn.Linear(4, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(8):
                model(torch.ones(2, 4)).mean().backward()
                optimizer.step()
                time.sleep(0.02)
        return session.finish("ran to its end", 0)


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "perfkit" in thread.name]


def test_at_no_rate_nothing_is_started() -> None:
    sampling = Sampling(0)
    sampling.on()
    assert running() == []
    sampling.off()
    assert sampling.samples() == ()


def test_what_never_began_ends_quietly() -> None:
    Sampling(20).off()
    assert Sampling(20).samples() == ()


def test_a_forked_child_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sampling = Sampling(20)
    sampling.on()
    monkeypatch.setattr(module.os, "getpid", lambda: -1)
    sampling.off()
    assert running() == ["perfkit sampler"]
    monkeypatch.undo()
    sampling.off()
    assert running() == []


def test_a_capture_without_sampling_leaves_no_file(tmp_path) -> None:
    run = captured(tmp_path, 0)
    assert run.samples == ()
    assert not (tmp_path / "run" / "samples.parquet").exists()


def test_a_capture_samples_from_its_first_step_until_it_has_measured(tmp_path) -> None:
    run = captured(tmp_path, 100)
    assert running() == []
    host = run.samples[0]
    last = max(step.end_ns for step in run.steps if step.instrument != "after")
    assert len(host) >= 3
    assert run.steps[0].start_ns <= host.time[0] <= host.time[-1] <= last + 500_000_000
    loaded = rundir.load(tmp_path / "run").samples
    assert [each.subject for each in loaded] == [each.subject for each in run.samples]
    assert loaded[0].time.tolist() == host.time.tolist()
