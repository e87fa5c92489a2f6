"""Which form suits a device, a number of experts and a number of tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from perfkit.rewrites.moe_dispatch.forms import Activation, Experts, no_grouped_matmul

# Measured with benchmarks/moe_grid.py on one thread of a server core, D = 128, F = 256, float32.
FEW_CHOICES = 4  # up to here the work is in the number of operators
LOW_LOAD = 32  # choices per expert below which one grouped product beats a product per expert
HIGH_LOAD = 96  # choices per expert from which gathering expert by expert stays in the cache
FEW_PAIRS = 8  # tokens x experts up to which every expert may as well see every token
FEW_PAIRS_UNGROUPED = 64  # the same where there is no grouped product

# Not measured: the model of a GPU by counts of launches, reads and flops.
LAUNCH_S = 7e-6
READ_S = 15e-6
FLOPS_PER_S = {torch.float16: 150e12, torch.bfloat16: 150e12, torch.float32: 30e12}


def choose(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> str:
    """Name of the form for these inputs; looks at device, dtype and sizes only."""
    grouped = no_grouped_matmul(x, weights, chosen, experts, activation) is None
    if x.device.type == "cpu":
        return _on_a_cpu(chosen, experts.up.shape[0], grouped)
    return _on_a_gpu(x, chosen, experts, grouped)


def _on_a_cpu(chosen: Tensor, experts: int, grouped: bool) -> str:
    pairs, load = chosen.shape[0] * experts, chosen.numel() / experts
    if 0 < pairs <= (FEW_PAIRS if grouped else FEW_PAIRS_UNGROUPED):
        return "folded"
    if chosen.numel() <= FEW_CHOICES:
        return "sorted"
    if load < LOW_LOAD and grouped:
        return "grouped"
    return "sorted" if load < HIGH_LOAD else "sliced"


def _on_a_gpu(x: Tensor, chosen: Tensor, experts: Experts, grouped: bool) -> str:
    """The cheapest by the model; an estimate."""
    count, width, size = experts.up.shape
    per_choice_s = 4 * width * size / FLOPS_PER_S.get(x.dtype, 5e12)
    sparse_s = chosen.numel() * per_choice_s
    costs = {
        "folded": 9 * LAUNCH_S + chosen.shape[0] * count * per_choice_s,
        "sorted": (14 + 3 * count) * LAUNCH_S + READ_S + sparse_s,
    }
    if grouped:
        waits = 0 if _sizes_stay_on_the_device(x) else 2 * READ_S + 2 * count * LAUNCH_S
        costs["grouped"] = 21 * LAUNCH_S + waits + sparse_s
    return min(costs, key=lambda name: costs[name])


def _sizes_stay_on_the_device(x: Tensor) -> bool:
    """Below compute capability 9, or not in bfloat16, the grouped product reads them itself."""
    return x.dtype == torch.bfloat16 and torch.cuda.get_device_capability(x.device)[0] >= 9
