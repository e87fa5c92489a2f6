"""A run in a real MLflow with a store of files."""

from __future__ import annotations

import json

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.io import rundir
from perfkit.model.diagnosis import Diagnosis
from tests.sample_runs import ctr_run

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """MLflow writes into `tmp_path`."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield tmp_path / "mlruns"
    mlflow.set_tracking_uri(before)


@pytest.fixture
def run(tmp_path):
    rundir.save(ctr_run(), tmp_path / "ctr")
    return tmp_path / "ctr"


def test_no_run_is_told_and_starts_nothing(store, tmp_path):
    from perfkit.integrations.mlflow import log_run

    with pytest.raises(PerfkitError, match="no run"):
        log_run(tmp_path)
    assert not store.exists() or not list(store.rglob("meta.yaml"))


def test_a_run_goes_to_one_of_its_own_which_ends(store, run):
    from perfkit.integrations.mlflow import log_run

    found = mlflow.get_run(log_run(run))
    assert mlflow.active_run() is None
    assert found.info.status == "FINISHED"
    assert found.data.metrics["perfkit/step_time_pretend_ms"] == 411
    assert found.data.metrics["perfkit/syncs"] == 130
    assert found.data.tags["perfkit.what"].startswith("A step takes 411 ms")
    (document,) = store.rglob("diagnosis.json")
    assert Diagnosis.from_json(json.loads(document.read_text())).run == "ctr-found"
    assert (document.parent / "perfkit.html").is_file()


def test_a_run_goes_to_the_active_one_which_goes_on(store, run):
    from perfkit.integrations.mlflow import log_run

    with mlflow.start_run() as training:
        assert log_run(run) == training.info.run_id
        assert mlflow.active_run() is not None
