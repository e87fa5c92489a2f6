"""The choice of a form: by lengths on a CPU, another on a GPU, never dense where that is dear."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perfkit.pretend import pretend_cuda
from perfkit.rewrites.block_diagonal_attention._cases import log_normal
from perfkit.rewrites.block_diagonal_attention.choosing import (
    ON_A_CPU,
    ON_A_GPU,
    choose_form,
    estimates,
)
from perfkit.rewrites.block_diagonal_attention.plan import AttentionPlan


def chosen(plan, dtype=torch.float32, device="cpu"):
    q = torch.empty(plan.queries, 4, 32, dtype=dtype, device=device)
    k = torch.empty(plan.keys, 4, 32, dtype=dtype, device=device)
    return choose_form(q, k, k, plan)


@pytest.mark.parametrize(
    ("lengths", "form"),
    [
        ([], "dense mask"),
        ([5, 7], "dense mask"),
        (log_normal(50, 82, 420), "by user"),
        ([4096, 900, 600, 400, 10, 5], "by user"),
        ([1] * 300, "buckets"),
        ([8] * 256, "buckets"),
    ],
    ids=["none", "tiny", "mid", "heavy tail", "one row each", "equal"],
)
def test_a_cpu_gets_the_form_that_was_fastest_there(lengths, form):
    assert chosen(AttentionPlan(lengths)) == form


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_gpu_is_not_given_one_call_per_user(dtype):
    lengths = log_normal(50, 82, 420)
    with pretend_cuda():
        plan = AttentionPlan(lengths, device="cuda")
        assert chosen(plan, dtype, "cuda") in ("buckets", "varlen", "dense mask")


@given(lengths=st.lists(st.integers(0, 400), max_size=60))
def test_by_its_own_estimate_the_choice_is_never_dearer_than_dense(lengths):
    plan = AttentionPlan(lengths)
    for costs in (ON_A_CPU, ON_A_GPU):
        estimated = estimates(plan, 4, 32, costs)
        assert min(estimated.values()) <= estimated["dense mask"]


def test_few_asking_rows_are_cheaper_in_every_form():
    lengths = log_normal(50, 82, 420)
    everyone = estimates(AttentionPlan(lengths), 4, 32, ON_A_CPU)
    some = estimates(AttentionPlan(lengths, [0, 700, 2000]), 4, 32, ON_A_CPU)
    assert all(some[form] < everyone[form] for form in everyone)
