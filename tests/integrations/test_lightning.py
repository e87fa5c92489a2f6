"""The callback in real trainers: what becomes a step, what is written, what is left alone."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import perfkit
from perfkit.capture import instrument
from perfkit.io import rundir
from tests.integrations.small_training import batches, small_model

lightning = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")

FEW = {"device": "cpu", "warmup": 1, "steps": 3}
MEASURED = 5  # a second warm-up step leads in the deep one


class Module(lightning.LightningModule):
    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.model, self._fails_at = small_model(), fails_at

    def training_step(self, batch, index):
        if index == self._fails_at:
            raise ValueError("bad batch")
        rows, target = batch
        return torch.nn.functional.mse_loss(self.model(rows), target)

    def validation_step(self, batch, index):
        with perfkit.instrument("validating"):
            self.model(batch[0])

    def predict_step(self, batch, index):
        return self.model(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """`trainer(callback, ...)`: a quiet one on the CPU that works in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def make(callback, **options):
        quiet = {
            "accelerator": "cpu",
            "max_epochs": 1,
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "enable_checkpointing": False,
            **options,
        }
        return lightning.Trainer(callbacks=[callback], **quiet)

    return make


@pytest.fixture
def callback():
    from perfkit.integrations.lightning import PerfkitCallback

    def make(name="small", **asked):
        return PerfkitCallback(name, **{**FEW, **asked})

    return make


def test_a_callback_inside_a_capture_stands_aside(trainer, callback, tmp_path):
    inner = callback()
    with perfkit.profile("outer", out=tmp_path / "run", **FEW):
        trainer(inner).fit(Module(), batches(4))
    assert inner.profile is None


def test_batches_are_steps_until_all_is_measured_and_then_nothing_is_left(
    trainer, callback, tmp_path
):
    call = torch.nn.Module.__call__
    one = callback()
    trainer(one).fit(Module(), batches(12))
    run = one.profile.run
    assert len(run.steps) == MEASURED
    assert run.step_marker == "perfkit.step()"
    assert run.ended == "ran to its end"
    assert instrument.active() is None
    assert torch.nn.Module.__call__ is call
    (written,) = (tmp_path / "profiles").iterdir()
    assert rundir.load(written).steps == run.steps
    assert (written / "diagnosis.json").is_file()
    assert (tmp_path / "reports" / f"{run.name}.html").is_file()


def test_a_short_training_leaves_what_there_was(trainer, callback):
    one = callback(steps=9)
    trainer(one).fit(Module(), batches(4))
    assert 4 <= len(one.profile.run.steps) <= 5


def test_batches_of_one_optimizer_step_are_one_step(trainer, callback):
    one = callback(steps=9)
    trainer(one, accumulate_grad_batches=4).fit(Module(), batches(12))
    assert len(one.profile.run.steps) == 3


def test_validation_inside_training_is_in_no_step(trainer, callback):
    plain, validated = callback(warmup=0, steps=9), callback(warmup=0, steps=9)
    trainer(plain).fit(Module(), batches(8))
    often = {"val_check_interval": 2, "num_sanity_val_steps": 1}
    trainer(validated, **often).fit(Module(), batches(8), batches(3))
    kinds = [[step.instrument for step in one.profile.run.steps] for one in (plain, validated)]
    assert kinds[0] == kinds[1]  # a step with forwards of its own would be set aside
    assert [one.step for one in validated.profile.run.regions if one.step is not None] == []


def test_validating_and_predicting_are_measured_too(trainer, callback):
    validated, predicted = callback(), callback()
    trainer(validated).validate(Module(), batches(8), verbose=False)
    trainer(predicted).predict(Module(), batches(8))
    assert len(validated.profile.run.steps) == len(predicted.profile.run.steps) == MEASURED


def test_an_exception_goes_on_and_the_run_says_where(trainer, callback):
    one = callback()
    with pytest.raises(ValueError, match="bad batch"):
        trainer(one).fit(Module(fails_at=3), batches(6))
    assert one.profile.run.ended == "ValueError in step 3"
    assert instrument.active() is None


def test_what_cannot_be_written_is_warned_about_and_training_goes_on(trainer, callback, tmp_path):
    (tmp_path / "file").write_text("")
    one = callback(out=tmp_path / "file" / "run")
    fit = trainer(one)
    with pytest.warns(RuntimeWarning, match="cannot write"):
        fit.fit(Module(), batches(6))
    assert fit.global_step == 6


def test_a_few_numbers_go_to_the_loggers(trainer, callback, tmp_path):
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(tmp_path / "logs")
    trainer(callback(), logger=logger).fit(Module(), batches(12))
    with (tmp_path / "logs/lightning_logs/version_0/metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["perfkit/step_time_ms"]) > 0
    assert row["step"] == "5"


@pytest.mark.slow
def test_the_other_package_and_its_own_launcher_of_two_ranks(tmp_path):
    pytest.importorskip("pytorch_lightning", reason="pytorch_lightning is not installed")
    script = Path(__file__).parents[1] / "programs" / "train_lightning.py"
    done = subprocess.run(
        [sys.executable, script, "pytorch_lightning", "2"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(script.parents[2])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (launch,) = (tmp_path / "profiles").iterdir()
    kinds = [
        [step.instrument for step in rundir.load(launch / f"rank{rank}").steps] for rank in (0, 1)
    ]
    assert [kinds[0].count(kind) for kind in ("bare", "light", "deep")] == [2, 2, 2]
    assert kinds[0] == kinds[1]
    (page,) = (tmp_path / "reports").iterdir()
    assert page.name == f"{launch.name}.html"
