"""Inputs to prove and to measure on."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from perfkit.rewrites._rewrite import Case, Inputs
from perfkit.rewrites.moe_dispatch.forms import Experts

EXACT = (torch.float64, torch.float32)
HALF = (*EXACT, torch.bfloat16, torch.float16)


def weights_of(count: int, width: int, inner: int, generator: torch.Generator) -> Experts:
    """Random experts whose outputs are of the order of 1."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    down = normal(width, count, inner).permute(1, 0, 2) / inner**0.5
    up = normal(count, inner, width) / width**0.5
    return Experts(up, normal(count, inner), down, normal(count, width))


def drawn(
    count: int,
    tokens: int,
    top: int = 2,
    width: int = 128,
    inner: int = 256,
    dtypes: tuple[torch.dtype, ...] = EXACT,
) -> Case:
    """Tokens spread over experts as random gates spread them; timed at the usual widths.

    Without dtypes it is timed only: benchmarks prove it, where that may take longer.
    """

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        gate = torch.randn(tokens, count, generator=generator).softmax(1)
        weights, chosen = gate.topk(top)
        x = torch.randn(tokens, width, generator=generator)
        return _inputs(x, weights, chosen, weights_of(count, width, inner, generator))

    name = f"{count} experts, {tokens} tokens" + (f", top {top}" if top != 2 else "")
    return Case(name, make, f"top {top}, {width} x {inner}", measured=width == 128, dtypes=dtypes)


def given(name: str, chosen: list[list[int]], count: int = 4) -> Case:
    """Choices spelled out, one row per token."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        numbers = torch.tensor(chosen)
        weights = 0.1 + torch.rand(numbers.shape, generator=generator)
        x = torch.randn(len(chosen), 8, generator=generator)
        return _inputs(x, weights, numbers, weights_of(count, 8, 16, generator))

    return Case(name, make, measured=False)


def twins(count: int, tokens: int, apart: float) -> Case:
    """Every second expert is its neighbour and a little noise, `apart` times as large."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        one = weights_of(count // 2, 128, 256, generator)
        noise = weights_of(count // 2, 128, 256, generator)
        pairs = [
            torch.stack([a, a + apart * b], 1).flatten(0, 1)
            for a, b in zip(one, noise, strict=True)
        ]
        weights, chosen = torch.rand(tokens, count, generator=generator).softmax(1).topk(2)
        x = torch.randn(tokens, 128, generator=generator)
        return _inputs(x, weights, chosen, Experts(*pairs))

    return Case(f"{count} experts in pairs", make, f"{tokens} tokens, pairs {apart} apart")


def _inputs(x: Tensor, weights: Tensor, chosen: Tensor, experts: Experts) -> Inputs:
    grown = Experts(*(tensor.requires_grad_() for tensor in experts))
    return x.requires_grad_(), weights.requires_grad_(), chosen, grown


def smooth(case: Case) -> Case:
    """The same with SiLU, for half precision: rounding there flips the slope of a ReLU at zero."""

    def make(seed: int) -> Inputs:
        return (*case.make(seed), F.silu)

    return replace(case, name=f"{case.name}, SiLU", make=make, dtypes=HALF)
