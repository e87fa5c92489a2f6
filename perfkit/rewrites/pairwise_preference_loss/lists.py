"""The packed forms for programs that keep their contexts in lists, with the found interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from .batched import Preference
from .config import Lods, LossConfig
from .contexts import Sample
from .history import Key, LensLoss, ScoreHistory
from .packed import Memory, pack
from .telemetry import read

Widths = dict[Key, int]
"""Entries by (sample, context), in the order of the rows."""


@dataclass(frozen=True)
class PackedResult:
    """As `history.LossResult`; `pairs` and `telemetry` wait for the device when they are asked for."""

    preference: Preference

    @property
    def loss(self) -> Tensor:
        """0-d, with the gradient."""
        return self.preference.loss

    @cached_property
    def _read(self) -> tuple[int, dict[str, float]]:
        vector = self.preference.telemetry
        if vector is None:
            return int(self.preference.pairs), {}
        return read(vector)

    @property
    def pairs(self) -> int:
        """Pairs that the loss is the mean of."""
        return self._read[0]

    @property
    def telemetry(self) -> dict[str, float]:
        """Averages over the pairs, by name."""
        return self._read[1]


@dataclass(frozen=True)
class Remembered:
    """Memory of the step before, and which context each of its rows was."""

    widths: Widths
    memory: Memory


def over_packed(form: Callable[..., Preference]) -> LensLoss:
    """A packed form, with lists in and memory kept in the history."""

    def run(
        samples: Sequence[Sample],
        scores: Sequence[Sequence[Tensor]],
        lods: Lods,
        config: LossConfig,
        history: ScoreHistory,
    ) -> PackedResult:
        widths = {
            (i, j): context.lods.shape[1]
            for i, sample in enumerate(samples)
            for j, context in enumerate(sample)
        }
        before = aligned(history.on_device, widths)
        given = form(*pack(samples, scores).arguments, lods, config, before)
        if given.memory is not None:
            history.on_device = Remembered(widths, given.memory)
        elif config.keep_scores:
            history.on_device = None
        return PackedResult(given)

    run.__name__ = getattr(form, "__name__", "packed")
    return run


def aligned(past: Remembered | None, widths: Widths) -> Memory | None:
    """Rows of the step before in today's order; contexts of another width are not the same."""
    if past is None or past.widths == widths:
        return past.memory if past else None
    rows = {key: row for row, key in enumerate(past.widths)}
    found = [rows[key] if past.widths.get(key) == width else -1 for key, width in widths.items()]
    memory = past.memory
    index = torch.tensor(found).to(memory.scores.device)
    there, source = index >= 0, index.clamp(min=0)
    wider = max(0, max(widths.values()) - memory.scores.shape[1])
    scores = F.pad(memory.scores[source], (0, wider))[:, : max(widths.values())]
    share = (memory.kept[source] & there).to(scores.dtype)
    order = torch.arange(len(found), device=scores.device)
    return replace(memory, scores=scores, worse=order, share=share)
