"""Merging alike experts: what stays apart, what becomes one, and that both choices count."""

from __future__ import annotations

import pytest
import torch

from perfkit.base.errors import PerfkitError
from perfkit.rewrites.moe_dispatch import REWRITE, Experts, merge_experts, moe_dispatch
from perfkit.rewrites.moe_dispatch._cases import drawn, twins, weights_of


def unlike(count=4):
    return weights_of(count, 8, 16, torch.Generator().manual_seed(0))


def test_unlike_experts_stay_as_they_are():
    experts = unlike()
    merged, numbers = merge_experts(experts)
    assert numbers.tolist() == [0, 1, 2, 3]
    for before, after in zip(experts, merged, strict=True):
        assert torch.equal(before, after)


def test_opposite_experts_stay_apart():
    experts = unlike(1)
    both = Experts(*(torch.cat([tensor, -tensor]) for tensor in experts))
    assert merge_experts(both, threshold=0.5)[1].tolist() == [0, 1]


def test_equal_experts_become_one_and_numbers_follow_their_first_member():
    experts = unlike(3)
    doubled = Experts(*(tensor[[0, 1, 0, 2, 1]] for tensor in experts))
    merged, numbers = merge_experts(doubled)
    assert numbers.tolist() == [0, 1, 0, 2, 1]
    torch.testing.assert_close(merged.up, experts.up)


def test_an_expert_without_length_is_merged_with_none():
    experts = Experts(*(torch.zeros_like(tensor) for tensor in unlike(2)))
    assert merge_experts(experts)[1].tolist() == [0, 1]


def test_no_experts_merge_to_none():
    merged, numbers = merge_experts(Experts(*(tensor[:0] for tensor in unlike())))
    assert merged.up.shape == (0, 16, 8)
    assert numbers.numel() == 0


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5, float("nan")])
def test_a_threshold_that_means_nothing_is_refused(threshold):
    with pytest.raises(PerfkitError, match="threshold"):
        merge_experts(unlike(), threshold)


@pytest.mark.parametrize(
    "form", [form for form in REWRITE.forms if form.exact], ids=lambda form: form.name
)
def test_both_choices_of_a_token_count_after_equal_experts_became_one(form):
    x, weights, _, _ = drawn(4, 6, width=8, inner=16).make(0)
    experts = Experts(*(tensor[[0, 1, 0, 1]] for tensor in unlike(2)))
    chosen = torch.tensor([[0, 2], [1, 3], [0, 1], [2, 3], [3, 1], [2, 0]])
    merged, numbers = merge_experts(experts)
    assert merged.up.shape[0] == 2
    wanted = REWRITE.reference.run(x, weights, chosen, experts)
    torch.testing.assert_close(form.run(x, weights, numbers[chosen], merged), wanted)


def test_the_quality_of_the_approximate_form_is_measured_and_can_fail():
    form = REWRITE.form("merged")
    near, far = twins(8, 32, apart=0.1).make(0), twins(8, 32, apart=0.1).make(1)
    found = REWRITE.reference.run(*near)
    quality = form.quality(near, found, form.run(*near))
    assert 0.01 < quality.value < quality.limit  # merged indeed, and close
    assert not form.quality(near, found, moe_dispatch(*far)).holds
