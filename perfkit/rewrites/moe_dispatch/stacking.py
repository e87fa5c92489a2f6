"""Stacked weights from a list of expert modules."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from perfkit.base.errors import PerfkitError
from perfkit.rewrites.moe_dispatch.forms import Experts


def stack_experts(experts: Iterable[nn.Module]) -> Experts:
    """The weights of experts that each hold two `nn.Linear`, up first and then down.

    Copies; differentiable where gradients are on. Where the weights do not change, call it once,
    after they were loaded, and not in every forward. A missing bias becomes zeros. `down` is laid
    out so that the folded dense form reads it in place.

    Raises:
        PerfkitError: no experts, a module without exactly two linear layers, or unlike shapes.
    """
    pairs = [_up_and_down(number, expert) for number, expert in enumerate(experts)]
    if not pairs:
        raise PerfkitError("there are no experts to stack", "give a list of at least one module")
    if len({(up.weight.shape, down.weight.shape) for up, down in pairs}) > 1:
        raise PerfkitError(
            "the experts differ in shape", "stack those of one shape, and keep the others apart"
        )
    ups, downs = zip(*pairs, strict=True)
    return Experts(
        torch.stack([layer.weight for layer in ups]),
        torch.stack([_bias(layer) for layer in ups]),
        torch.stack([layer.weight for layer in downs], dim=1).permute(1, 0, 2),
        torch.stack([_bias(layer) for layer in downs]),
    )


def _up_and_down(number: int, expert: nn.Module) -> tuple[nn.Linear, nn.Linear]:
    layers = [module for module in expert.modules() if isinstance(module, nn.Linear)]
    if len(layers) != 2:
        raise PerfkitError(
            f"expert {number} holds {len(layers)} linear layers",
            "two are expected, up first and then down; build Experts from the weights yourself",
        )
    return layers[0], layers[1]


def _bias(layer: nn.Linear) -> Tensor:
    return layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias
