"""The ways to send tokens through their experts; all give the same sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Activation = Callable[[Tensor], Tensor]
_grouped_mm: Any = getattr(F, "grouped_mm", None) or getattr(torch, "_grouped_mm", None)


class Experts(NamedTuple):
    """The weights of E experts of one shape, stacked.

    Attributes:
        up: [E, F, D], as `torch.nn.Linear` lays them out.
        up_bias: [E, F].
        down: [E, D, F].
        down_bias: [E, D].
    """

    up: Tensor
    up_bias: Tensor
    down: Tensor
    down_bias: Tensor

    def apart(self) -> Experts:
        """The same with each expert's weights on their own, to be indexed.

        The gradient of `up[number]` is as large as `up`, once per expert; that of `unbind` is the
        gradients of all experts side by side. Without gradients there is nothing to win.
        """
        if not torch.is_grad_enabled():
            return self
        return Experts(*(weights.unbind() for weights in self))

    def one(self, number: int, x: Tensor, activation: Activation) -> Tensor:
        """[n, D] from [n, D] through one expert."""
        inner = activation(F.linear(x, self.up[number], self.up_bias[number]))
        return F.linear(inner, self.down[number], self.down_bias[number])


def found(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """As met in programs: every expert asks whether it has tokens, and then which."""
    out = torch.zeros_like(x)
    apart = experts.apart()
    for number in range(experts.up.shape[0]):
        taken = chosen == number
        if not taken.any():
            continue
        rows = taken.any(dim=1).nonzero().squeeze(1)
        share = (weights * taken).sum(dim=1)[rows]
        out[rows] += (apart.one(number, x[rows], activation) * share[:, None]).to(x.dtype)
    return out


def by_loop(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """Not asked whether there are tokens, and added up so that a token may come twice."""
    out = torch.zeros_like(x)
    apart = experts.apart()
    for number in range(experts.up.shape[0]):
        rows, slot = (chosen == number).nonzero(as_tuple=True)
        own = apart.one(number, x[rows], activation) * weights[rows, slot][:, None]
        out.index_add_(0, rows, own.to(x.dtype))
    return out


def by_sorting(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """Choices sorted by expert; the host reads once how many each expert has."""
    order, counts = _by_expert(chosen, experts)
    sizes = counts.tolist()
    if not order.numel():
        return torch.zeros_like(x)
    parts = x[order // chosen.shape[1]].split(sizes)
    apart = experts.apart()
    own = [apart.one(e, part, activation) for e, part in enumerate(parts) if sizes[e]]
    return _summed(torch.cat(own), order, weights, x)


def by_slices(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """As `by_sorting`, gathered and added up expert by expert: less memory at once."""
    order, counts = _by_expert(chosen, experts)
    sizes = counts.tolist()
    rows = (order // chosen.shape[1]).split(sizes)
    shares = weights.flatten()[order][:, None].split(sizes)
    out = torch.zeros_like(x)
    apart = experts.apart()
    for number, (mine, share) in enumerate(zip(rows, shares, strict=True)):
        if sizes[number]:
            own = apart.one(number, x[mine], activation) * share
            out.index_add_(0, mine, own.to(x.dtype))
    return out


def by_grouped_matmul(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """Choices sorted by expert, and one product over all groups, whose sizes stay on the device."""
    if not chosen.numel():
        return torch.zeros_like(x)
    order, counts = _by_expert(chosen, experts)
    ends = counts.cumsum(0).to(torch.int32)
    expert = chosen.flatten()[order]
    rows = x[order // chosen.shape[1]]
    inner = _grouped_mm(rows, experts.up.transpose(1, 2), offs=ends)
    inner = activation(inner + experts.up_bias[expert])
    own = _grouped_mm(inner, experts.down.transpose(1, 2), offs=ends)
    return _summed(own + experts.down_bias[expert], order, weights, x)


def no_grouped_matmul(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> str | None:
    """Why `by_grouped_matmul` cannot take these inputs; None where it can."""
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if _grouped_mm is None or version < (2, 9):
        return "grouped matrix products with derivatives on every device need torch 2.9"
    if x.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return f"no grouped matrix product in {x.dtype}"
    if any(size * x.element_size() % 16 for size in experts.up.shape[1:]):
        return "rows of the grouped matrix product must be multiples of 16 bytes"
    return None


def by_folding(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """Every expert for every token, as one wide layer whose inner values carry the weights."""
    count, width, _ = experts.up.shape
    share = _dense_weights(weights, chosen, count).to(x.dtype)
    inner = activation(F.linear(x, experts.up.flatten(0, 1), experts.up_bias.flatten()))
    inner = (inner.unflatten(1, (count, width)) * share[:, :, None]).flatten(1)
    folded = experts.down.permute(1, 0, 2).flatten(1)
    return F.linear(inner, folded) + share @ experts.down_bias


def by_batched_matmul(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """Every expert for every token, as a batch of matrix products."""
    count = experts.up.shape[0]
    share = _dense_weights(weights, chosen, count).to(x.dtype)
    every = x.expand(count, -1, -1)
    inner = torch.baddbmm(experts.up_bias[:, None], every, experts.up.transpose(1, 2))
    own = torch.baddbmm(experts.down_bias[:, None], activation(inner), experts.down.transpose(1, 2))
    return torch.einsum("etd,te->td", own, share)


def _by_expert(chosen: Tensor, experts: Experts) -> tuple[Tensor, Tensor]:
    """(choices in order of their expert, choices per expert); nothing read by the host."""
    flat = chosen.flatten()
    counts = torch.zeros(experts.up.shape[0], dtype=torch.int64, device=flat.device)
    counts.scatter_add_(0, flat, torch.ones_like(flat))
    return flat.argsort(stable=True), counts


def _summed(own: Tensor, order: Tensor, weights: Tensor, x: Tensor) -> Tensor:
    """Rows in order of their expert, weighted and added up per token."""
    weighted = (own * weights.flatten()[order][:, None]).to(x.dtype)
    return torch.zeros_like(x).index_add_(0, order // weights.shape[1], weighted)


def _dense_weights(weights: Tensor, chosen: Tensor, count: int) -> Tensor:
    """[T, E]; an expert chosen twice by a token counts twice."""
    return weights.new_zeros(weights.shape[0], count).scatter_add(1, chosen, weights)


def rows_assigned(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """Wrong: of a token that comes twice for one expert, one choice is lost."""
    out = torch.zeros_like(x)
    apart = experts.apart()
    for number in range(experts.up.shape[0]):
        rows, slot = (chosen == number).nonzero(as_tuple=True)
        out[rows] += apart.one(number, x[rows], activation) * weights[rows, slot][:, None]
    return out


def weights_scattered(
    x: Tensor,
    weights: Tensor,
    chosen: Tensor,
    experts: Experts,
    activation: Activation = torch.relu,
) -> Tensor:
    """Wrong: of two choices of one expert, the last weight stays instead of the sum."""
    share = weights.new_zeros(weights.shape[0], experts.up.shape[0]).scatter(1, chosen, weights)
    numbers = torch.arange(experts.up.shape[0], device=x.device).expand_as(share)
    return by_folding(x, share, numbers, experts, activation)
