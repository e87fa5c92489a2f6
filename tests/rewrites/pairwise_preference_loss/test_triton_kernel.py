import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from perfkit.pretend import pretend_cuda
from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites.pairwise_preference_loss.triton_kernel import WIDEST, triton_loss, why_not

HAS_TRITON = importlib.util.find_spec("triton") is not None
INTERPRETED = """
import torch
from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites._parity import case_parity
for case in REWRITE.cases:
    proof = case_parity(REWRITE, REWRITE.form("triton"), case, torch.float32)
    assert proof.holds, proof
print(len(REWRITE.cases), "proven")
"""


@pytest.mark.skipif(not HAS_TRITON, reason="triton is not installed")
def test_the_kernel_is_right_in_the_interpreter():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read when triton is imported
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED], env=environment, capture_output=True, text=True
    )
    assert done.stdout == f"{len(REWRITE.cases)} proven\n", done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="the kernel needs a CUDA device")
def test_the_kernel_is_right_on_the_device():
    from perfkit.rewrites._parity import parity

    for case in REWRITE.cases:
        proof = parity(
            REWRITE,
            REWRITE.form("triton"),
            case.make(0),
            case.name,
            torch.float32,
            torch.device("cuda"),
        )
        assert proof.holds, proof


def test_where_it_cannot_run_it_says_why(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert why_not(torch.zeros(2, 2)) in (
        "triton is not installed",
        "the kernel needs CUDA (or TRITON_INTERPRET=1)",
    )
    if HAS_TRITON:
        assert "entries" in why_not(torch.zeros(1, WIDEST + 1))
    with pretend_cuda():
        assert why_not(torch.zeros(1, 1, device="cuda")) is not None


def test_nothing_to_compare_needs_no_kernel():
    assert triton_loss(*REWRITE.case("one context").make(0)).loss == 0
