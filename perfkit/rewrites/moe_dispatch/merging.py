"""Fewer experts: those whose weights point the same way become one. Changes the model's output."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from perfkit.base.errors import PerfkitError
from perfkit.rewrites.moe_dispatch.forms import Activation, Experts, by_sorting

THRESHOLD = 0.99


def merge_experts(experts: Experts, threshold: float = THRESHOLD) -> tuple[Experts, Tensor]:
    """Merge experts with alike weights: an approximation, to be done once, after loading.

    In order of their numbers, each expert that is not merged yet takes in all later ones whose
    weights and biases, as one vector, have a cosine similarity of at least `threshold` with its own;
    a group becomes the mean of its members. Reads the similarities from the device.

    Returns:
        (experts [M <= E], number of the merged expert by that of the old one, int64 [E]). Dispatch
        with `numbers[chosen]`: two choices of a token may now be one expert, and both count.

    Raises:
        PerfkitError: the threshold is not above 0, or above 1.
    """
    if not 0 < threshold <= 1:
        raise PerfkitError(
            f"a similarity threshold of {threshold} merges all experts or none",
            "give one above 0 and at most 1; 0.99 is a careful one",
        )
    flat = torch.cat([tensor.detach().flatten(1).double() for tensor in experts], dim=1)
    unit = F.normalize(flat, dim=1)
    numbers = _groups((unit @ unit.T).tolist(), threshold)
    members = torch.tensor(numbers, dtype=torch.int64, device=experts.up.device)
    count = max(numbers, default=-1) + 1
    return Experts(*(_means(tensor, members, count) for tensor in experts)), members


def _groups(similarity: list[list[float]], threshold: float) -> list[int]:
    """Group number of each expert; groups are numbered in order of their first member."""
    numbers = [-1] * len(similarity)
    count = 0
    for first, row in enumerate(similarity):
        if numbers[first] >= 0:
            continue
        for other in range(first, len(row)):
            if other == first or (numbers[other] < 0 and row[other] >= threshold):
                numbers[other] = count
        count += 1
    return numbers


def _means(tensor: Tensor, members: Tensor, count: int) -> Tensor:
    sums = tensor.new_zeros(count, *tensor.shape[1:]).index_add(0, members, tensor)
    sizes = tensor.new_zeros(count).index_add(0, members, tensor.new_ones(members.numel()))
    return sums / sizes.view(-1, *[1] * (tensor.dim() - 1))


def by_merging(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """Merged and dispatched in one call, to be judged; programs merge once, after loading."""
    fewer, numbers = merge_experts(experts)
    return by_sorting(x, weights, numbers[chosen], fewer, activation)
