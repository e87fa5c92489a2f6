"""Whole training steps: FLOPs equal torch's, and nearly every call has a cost."""

from __future__ import annotations

import pytest
import torch

from benchmarks._cost_models import BUILT, OURS, TRANSFORMERS
from benchmarks.costs import counted

SMALL = {**BUILT, "ctr": OURS["ctr"]}


@pytest.mark.parametrize("name", SMALL)
def test_a_step_s_matmul_flops_are_those_that_torch_counts(name: str) -> None:
    torch.set_num_threads(1)
    row = counted(name, SMALL[name])
    assert row.torch and row.ours == row.torch
    assert row.coverage > 0.95, row.unknown


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_hugging_face_s_networks_too(name: str) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    row = counted(name, TRANSFORMERS[name])
    assert row.holds, row


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lens", "lookahead"])
def test_our_larger_workloads_too(name: str) -> None:
    row = counted(name, OURS[name])
    assert row.holds, row
