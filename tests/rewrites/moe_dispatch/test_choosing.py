"""The choice of a form: CPU regimes as measured, the GPU's by its model, waits at most one."""

from __future__ import annotations

import pytest
import torch

from perfkit.detectors.evidence import listening
from perfkit.pretend import pretend_cuda
from perfkit.rewrites import _tree
from perfkit.rewrites.moe_dispatch import REWRITE, choosing, moe_dispatch
from perfkit.rewrites.moe_dispatch._cases import drawn

grouped_here = pytest.mark.skipif(
    REWRITE.form("grouped").unavailable(*drawn(8, 8).make(0)) is not None,
    reason="no grouped matrix product in this torch",
)


@grouped_here
@pytest.mark.parametrize(
    ("experts", "tokens", "name"),
    [
        (8, 1, "folded"),
        (64, 1, "sorted"),
        (16, 8, "grouped"),
        (64, 512, "grouped"),
        (16, 512, "sorted"),
        (8, 512, "sliced"),
        (64, 4096, "sliced"),
        (8, 0, "sorted"),
    ],
)
def test_a_cpu_gets_the_form_that_was_fastest_there(experts, tokens, name):
    assert choosing.choose(*drawn(experts, tokens).make(0)) == name


def test_without_a_grouped_product_something_else_is_chosen():
    inputs = _tree.fresh(drawn(16, 8).make(0), torch.float64)
    assert choosing.choose(*inputs) == "sorted"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("experts", "tokens"), [(8, 64), (64, 64), (64, 512), (8, 4096)])
def test_the_chosen_form_waits_once_at_most(experts, tokens, dtype):
    hits = []
    with pretend_cuda():
        case = drawn(experts, tokens, width=32, inner=32)
        inputs = _tree.fresh(case.make(0), dtype, torch.device("cuda"))
        with listening(hits.append), torch.no_grad():
            moe_dispatch(*inputs)
    assert sum(hit.count for hit in hits if hit.direction != "h2d") <= 1


def crossover(experts, width, inner):
    """Fewest tokens at which the model of a GPU no longer takes the dense form."""
    for power in range(4, 20):
        inputs = drawn(experts, 1, width=width, inner=inner).make(0)
        x = inputs[0].half().expand(2**power, -1)
        chosen = inputs[2].expand(2**power, -1)
        if choosing._on_a_gpu(x, chosen, inputs[3], grouped=False) != "folded":
            return 2**power
    return None


def test_by_the_model_dense_forms_are_for_few_tokens_and_fewer_with_more_experts():
    assert 1024 <= crossover(8, 512, 1024) <= 8192
    assert crossover(64, 512, 1024) < crossover(8, 512, 1024)
