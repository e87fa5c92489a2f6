"""The callback in a real Hugging Face trainer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from perfkit.capture import instrument
from perfkit.io import rundir
from tests.integrations.small_training import small_model

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("accelerate", reason="accelerate is not installed")

FEW = {"device": "cpu", "warmup": 1, "steps": 3}


class Model(torch.nn.Module):
    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.model, self.calls, self._fails_at = small_model(), 0, fails_at

    def forward(self, rows, labels):
        self.calls += 1
        if self.calls == self._fails_at:
            raise ValueError("bad batch")
        found = self.model(rows)
        return {"loss": torch.nn.functional.mse_loss(found, labels), "logits": found}


def rows(count: int) -> list[dict[str, torch.Tensor]]:
    return [{"rows": torch.ones(8), "labels": torch.ones(1)} for _ in range(count)]


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """`trainer(callback, ...)`: one that takes 4 rows a step and works in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def make(callback, model=None, **options):
        quiet = {
            "max_steps": 12,
            "per_device_train_batch_size": 4,
            "use_cpu": True,
            "report_to": "none",
            "save_strategy": "no",
            "disable_tqdm": True,
            "logging_strategy": "no",
            **options,
        }
        arguments = transformers.TrainingArguments(output_dir=str(tmp_path / "out"), **quiet)
        return transformers.Trainer(
            model or Model(),
            arguments,
            train_dataset=rows(64),
            eval_dataset=rows(16),
            callbacks=[callback],
        )

    return make


@pytest.fixture
def callback():
    from perfkit.integrations.transformers import PerfkitCallback

    def make(**asked):
        return PerfkitCallback("small", **{**FEW, **asked})

    return make


def test_steps_are_those_of_the_optimizer_and_numbers_stand_in_the_log(trainer, callback, tmp_path):
    one = callback()
    training = trainer(one, gradient_accumulation_steps=2)
    training.train()
    run = one.profile.run
    assert len(run.steps) == 5
    assert instrument.active() is None
    (written,) = (tmp_path / "profiles").iterdir()
    assert rundir.load(written).steps == run.steps
    assert (tmp_path / "reports" / f"{run.name}.html").is_file()
    (told,) = (row for row in training.state.log_history if "perfkit/step_time_ms" in row)
    assert told["step"] == 5


def test_evaluations_and_checkpoints_are_in_no_step(trainer, callback, monkeypatch):
    import perfkit

    one = callback(warmup=0, steps=9)
    training = trainer(
        one, max_steps=8, eval_strategy="steps", eval_steps=2, save_strategy="steps", save_steps=4
    )
    for name in ("prediction_step", "_save_checkpoint"):
        own = getattr(training, name)

        def marked(*args, own=own, name=name, **kwargs):
            with perfkit.instrument(name):
                return own(*args, **kwargs)

        monkeypatch.setattr(training, name, marked)
    training.train()
    assert len(one.profile.run.steps) == 8
    assert [region.step for region in one.profile.run.regions if region.step is not None] == []


def test_a_block_around_a_training_that_fails_ends_the_capture(trainer, callback):
    with pytest.raises(ValueError, match="bad batch"), callback() as one:
        trainer(one, model=Model(fails_at=4)).train()
    assert one.profile.run.ended == "ValueError in step 3"
    assert instrument.active() is None


def test_a_script_that_fails_leaves_a_run_all_the_same(tmp_path):
    (tmp_path / "train.py").write_text(
        "import sys, torch, transformers\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from perfkit.integrations.transformers import PerfkitCallback\n"
        "from tests.integrations.test_transformers import Model, rows\n"
        "arguments = transformers.TrainingArguments(output_dir='out', use_cpu=True,\n"
        "    report_to='none', save_strategy='no', disable_tqdm=True, max_steps=20)\n"
        "transformers.Trainer(Model(fails_at=4), arguments, train_dataset=rows(64),\n"
        "    callbacks=[PerfkitCallback('small', device='cpu')]).train()\n"
    )
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "bad batch" in done.stderr
    (written,) = (tmp_path / "profiles").iterdir()
    assert rundir.load(written).ended == "ValueError in step 3", done.stderr
    assert (written / "diagnosis.json").is_file(), done.stderr
