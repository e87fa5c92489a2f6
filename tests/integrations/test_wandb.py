"""A run in a real wandb that never leaves the machine."""

from __future__ import annotations

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.io import rundir
from tests.sample_runs import ctr_run

wandb = pytest.importorskip("wandb", reason="wandb is not installed")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    for folder in ("DIR", "CACHE_DIR", "DATA_DIR", "CONFIG_DIR"):
        monkeypatch.setenv(f"WANDB_{folder}", str(tmp_path))
    yield tmp_path
    wandb.teardown()  # its service is a process that would outlive the tests


@pytest.fixture
def run(tmp_path):
    rundir.save(ctr_run(), tmp_path / "ctr")
    return tmp_path / "ctr"


def test_no_run_is_told_and_starts_nothing(offline):
    from perfkit.integrations.wandb import log_run

    with pytest.raises(PerfkitError, match="no run"):
        log_run(offline)
    assert wandb.run is None


def test_a_run_goes_to_one_of_its_own_which_ends(offline, run):
    from perfkit.integrations.wandb import log_run

    log_run(run)
    assert wandb.run is None
    (recorded,) = offline.rglob("*.wandb")
    held = recorded.read_bytes()
    assert b"perfkit-ctr-found" in held and b"perfkit.html" in held and b"diagnosis.json" in held


def test_a_run_goes_to_the_active_one_which_goes_on(offline, run):
    from perfkit.integrations.wandb import log_run

    with wandb.init() as training:
        assert log_run(run) is training
        assert wandb.run is training
        assert training.summary["perfkit/step_time_pretend_ms"] == 411
        assert training.summary["perfkit.what"].startswith("A step takes 411 ms")
