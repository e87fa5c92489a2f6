"""`with perfkit.profile(...)`: the library's way to capture."""

from __future__ import annotations

import pytest
import torch

import perfkit
from perfkit.base.errors import PerfkitError
from perfkit.io import rundir


def step():
    torch.relu(torch.ones(4)).sum()


def test_the_public_surface_is_what_all_says():
    assert set(perfkit.__all__) == {"profile", "step", "instrument", "guard", "register_cost"}
    for name in perfkit.__all__:
        assert getattr(perfkit, name) is not None
    with pytest.raises(AttributeError):
        perfkit.nothing_of_the_kind  # noqa: B018


def test_one_capture_at_a_time(tmp_path):
    with perfkit.profile("outer", out=tmp_path / "a") as outer:
        with pytest.raises(PerfkitError, match="running already"), perfkit.profile("inner"):
            pass
        step()
    assert outer.run.name == "a"


def test_a_block_with_explicit_steps(tmp_path):
    with perfkit.profile("block", out=tmp_path / "run", device="cpu", warmup=1, steps=3) as p:
        for _ in range(8):
            step()
            p.step()
    assert p.run.step_marker == "perfkit.step()"
    assert len(p.run.steps) == 7
    assert p.diagnosis.run == "run"
    assert rundir.load(tmp_path / "run") == p.run
    assert (tmp_path / "run" / "diagnosis.json").is_file()


def test_an_exception_goes_on_and_the_run_says_where(tmp_path):
    with pytest.raises(ValueError), perfkit.profile("block", out=tmp_path / "run") as p:
        for _ in range(3):
            step()
            p.step()
        raise ValueError
    assert rundir.load(tmp_path / "run").ended == "ValueError in step 2"


def test_a_profile_shows_its_verdict(tmp_path):
    p = perfkit.profile("block", out=tmp_path / "run", device="cpu")
    assert "has not ended" in repr(p)
    with p:
        for _ in range(4):
            step()
            p.step()
    assert p.diagnosis.verdict.what in repr(p) and str(tmp_path / "run") in repr(p)
