"""Contexts made, read by the base model, and turned into targets in one stage; the lens in another.

Stage one may run ahead, in other processes or once per epoch. Exact for the contexts and token
losses that were stored; whether those are still what the base model would say is a matter of their
age, hence `max_age`.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .analytic import of_targets
from .batched import Preference, accumulating, nothing
from .config import Lods, LossConfig
from .layout import layout
from .packed import Memory
from .targets import Targets, make_targets


class StaleContexts(LookupError):
    """What was stored is older than allowed; stage one has to run again."""


@dataclass(frozen=True)
class Staged:
    """A batch as stage two needs it: what the lens reads, and what will be asked of its scores."""

    positions: Tensor
    lods: Tensor
    targets: Targets
    step: int


class Stage:
    """Batches by key, from the first stage to the second.

    Args:
        max_age: steps after which a batch is refused; None for a base model that does not change.
        dtype: in which the loss is summed up.
    """

    def __init__(
        self,
        geometry: Lods,
        config: LossConfig,
        max_age: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.geometry = geometry
        self.config = config
        self.max_age = max_age
        self.dtype = dtype
        self._batches: dict[Hashable, Staged] = {}

    def put(
        self,
        key: Hashable,
        step: int,
        positions: Tensor,
        lods: Tensor,
        token_losses: Tensor,
        sample_of_context: tuple[int, ...],
        tokens: int,
    ) -> Staged:
        """Store a batch of which at least two contexts belong together.

        Raises:
            ValueError: there is nothing to compare.
        """
        plan = layout(sample_of_context, self.config, positions.device)
        if plan.pairs == 0:
            raise ValueError("no sample has two contexts: there is nothing to compare")
        targets = make_targets(
            positions,
            lods,
            token_losses,
            tokens,
            plan,
            self.geometry,
            self.config,
            self.dtype,
        )
        self._batches[key] = Staged(positions, lods, targets, step)
        return self._batches[key]

    def get(self, key: Hashable, step: int) -> Staged:
        """A stored batch.

        Raises:
            StaleContexts: it is too old.
            KeyError: there is none.
        """
        found = self._batches[key]
        if self.max_age is not None and step - found.step > self.max_age:
            raise StaleContexts(f"{key!r} is {step - found.step} steps old")
        return found

    def loss(
        self, key: Hashable, step: int, scores: Tensor, memory: Memory | None = None
    ) -> Preference:
        """The lens loss of a stored batch, for scores [N, W] in the order of its contexts."""
        targets = self.get(key, step).targets
        return of_targets(scores, targets, self.geometry, self.config, memory)


def two_stage(scores: Tensor, *arguments: Any) -> Preference:
    """Both stages in one: what a proof calls. Without a pair there is no first stage."""
    *contexts, geometry, config = arguments[:7]
    memory = arguments[7] if len(arguments) > 7 else None
    if layout(contexts[3], config, scores.device).pairs == 0:
        return nothing(scores, config)
    stage = Stage(geometry, config, dtype=accumulating(scores))
    stage.put(0, 0, *contexts)
    return stage.loss(0, 0, scores, memory)
