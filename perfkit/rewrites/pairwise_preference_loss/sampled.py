"""Fewer pairs: each context is compared with at most `keep` better ones.

Approximate: the loss is a mean over other pairs. The caps of the configuration do not apply.
"""

from __future__ import annotations

from enum import Enum
from itertools import groupby

import torch
from torch import Tensor

from .analytic import of_targets
from .batched import Preference, accumulating, nothing
from .choice import Chosen
from .config import Lods, LossConfig
from .packed import Memory
from .targets import targets_of


class Sampling(Enum):
    """Which better contexts a context is compared with."""

    TOP = "the best ones, from which it differs most"
    RANDOM = "other ones in every call, without repetition"


def sampled(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
    geometry: Lods,
    config: LossConfig,
    memory: Memory | None = None,
    keep: int = 1,
    how: Sampling = Sampling.TOP,
    generator: torch.Generator | None = None,
) -> Preference:
    """The lens loss of `pairwise_preference_loss` over a sample of the pairs.

    Args:
        keep: better contexts per context, at least 1.
        generator: for `Sampling.RANDOM`, on the device of the scores.

    Raises:
        ValueError: `keep` is smaller than 1.
    """
    if keep < 1:
        raise ValueError(f"keep at least one pair per context, not {keep}")
    sizes = tuple(len(list(group)) for _, group in groupby(sample_of_context))
    if max(sizes, default=0) < 2:
        return nothing(scores, config)
    chosen = choose_some(token_losses, sizes, keep, how, generator)
    dtype = accumulating(scores)
    targets = targets_of(chosen, positions, lods, tokens, geometry, config, dtype)
    return of_targets(scores, targets, geometry, config, memory)


def choose_some(
    token_losses: Tensor,
    sizes: tuple[int, ...],
    keep: int,
    how: Sampling,
    generator: torch.Generator | None = None,
) -> Chosen:
    """Pairs of a context of rank j with `keep` of the j better ones, for every sample."""
    losses = token_losses.detach().double()
    width, device = max(sizes), losses.device
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    padded = torch.cat([losses, losses.new_full((1,), float("nan"))])
    rows = [
        [start + i if i < size else len(losses) for i in range(width)]
        for start, size in zip(starts, sizes, strict=True)
    ]
    slots = torch.tensor(rows).to(device)
    ranked, order = padded[slots].sort(dim=1, stable=True)
    placed = slots.gather(1, order)
    places = [
        (sample, rank, place)
        for sample, size in enumerate(sizes)
        for rank in range(1, size)
        for place in range(min(rank, keep))
    ]
    sample, rank, place = torch.tensor(places).T.to(device)
    if how is Sampling.RANDOM:
        noise = torch.rand(len(sizes), width, width, device=device, generator=generator)
        later = torch.ones(width, width, dtype=torch.bool, device=device).triu()
        drawn = noise.masked_fill(later, 2.0).argsort(dim=2)  # [j, i]: those with i < j come first
        place = drawn[sample, rank, place]
    delta = ranked[sample, rank] - ranked[sample, place]
    return Chosen(placed[sample, place], placed[sample, rank], delta)
