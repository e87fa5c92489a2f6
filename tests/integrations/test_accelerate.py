"""`accelerator.profile()` with our handler."""

from __future__ import annotations

import pytest
import torch

from perfkit.io import rundir
from tests.integrations.small_training import batches, small_model

accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed")


def test_the_accelerators_own_block_records_a_run(tmp_path):
    from perfkit.integrations.accelerate import PerfkitKwargs

    handler = PerfkitKwargs(out=tmp_path / "run", device="cpu", warmup=1, steps=3)
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = small_model()
    model, optimizer, loader = accelerator.prepare(
        model, torch.optim.SGD(model.parameters(), lr=0.01), batches(16)
    )
    with accelerator.profile(handler) as measured:
        for rows, target in loader:
            with accelerator.accumulate(model):
                accelerator.backward(torch.nn.functional.mse_loss(model(rows), target))
                optimizer.step()
                optimizer.zero_grad()
    assert measured.run.step_marker == "optimizer.step"
    kinds = [step.instrument for step in measured.run.steps]
    assert [kinds.count(kind) for kind in ("bare", "light", "deep")] == [1, 1, 1]
    assert rundir.load(tmp_path / "run") == measured.run
