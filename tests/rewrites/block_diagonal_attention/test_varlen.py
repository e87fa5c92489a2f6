"""Flash attention over bounds: why it does not run here, and that it agrees where it does."""

from __future__ import annotations

import pytest
import torch

from perfkit.pretend import pretend_cuda
from perfkit.rewrites.block_diagonal_attention import REWRITE, AttentionPlan, varlen
from perfkit.rewrites.block_diagonal_attention._cases import inputs_of


def why_not(dtype=torch.float16, size=8, rows=None, device="cuda"):
    with pretend_cuda(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.version, "cuda", "12.8")
        q, k, v, _, lengths, *_ = inputs_of([5, 3], rows, size=size, gradients=False)
        q, k, v = (tensor.to(device, dtype) for tensor in (q, k, v))
        return varlen.no_varlen(q, k, v, AttentionPlan(lengths, rows, device))


def test_a_cpu_has_none():
    assert "needs CUDA" in why_not(device="cpu")


def test_full_precision_odd_heads_and_rows_in_the_middle_are_declined():
    assert "float32" in why_not(torch.float32)
    assert "multiple of 8" in why_not(size=6)
    assert "last rows" in why_not(rows=[1, 7])


def test_the_last_rows_of_users_may_ask_where_a_kernel_is_there():
    reason = why_not(rows=[3, 4, 7])
    assert reason is None or "neither" in reason


@pytest.mark.parametrize(
    ("spelling", "given"),
    [
        (lambda q, is_causal=False: q, {"is_causal": True}),
        (lambda q, window_size=(-1, -1): q, {"window_size": (-1, 0)}),
    ],
)
def test_causal_is_spelt_as_this_torch_spells_it(spelling, given):
    assert varlen._causal(spelling) == given


@pytest.mark.gpu
@pytest.mark.parametrize("rows", [None, [3, 4, 7, 30, 31]], ids=["all rows", "last rows"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_it_agrees_with_the_found_code_on_a_gpu(rows, dtype):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    inputs = inputs_of([5, 3, 24], rows, heads=4, size=32, gradients=False)
    wanted = REWRITE.reference.run(*inputs)
    moved = (*(tensor.to("cuda", dtype) for tensor in inputs[:3]), *inputs[3:])
    reason = REWRITE.form("varlen").unavailable(*moved)
    if reason:
        pytest.skip(reason)
    given = REWRITE.form("varlen").run(*moved).cpu().float()
    torch.testing.assert_close(given, wanted, rtol=0.02, atol=0.02)
