"""Targets made once for contexts that come again: they depend on contexts and token losses only.

Exact, as long as a key stands for the same contexts, token losses, geometry and configuration.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import groupby

import torch
from torch import Tensor

from .config import Lods, LossConfig
from .layout import layout
from .targets import Targets, make_targets


class TargetCache:
    """Targets by sample and by whole batch; what was not used for longest leaves first.

    A pair needs some 25 bytes per entry: 39 pairs of 1521 entries are 1.5 MB.

    Args:
        capacity: samples kept, and batches kept.
    """

    def __init__(self, capacity: int = 256) -> None:
        self.capacity = capacity
        self.made = 0
        self._samples: OrderedDict[Hashable, Targets] = OrderedDict()
        self._batches: OrderedDict[Hashable, Targets] = OrderedDict()

    def targets(
        self,
        keys: Sequence[Hashable],
        positions: Tensor,
        lods: Tensor,
        token_losses: Tensor,
        sample_of_context: tuple[int, ...],
        tokens: int,
        geometry: Lods,
        config: LossConfig,
        dtype: torch.dtype = torch.float32,
    ) -> Targets:
        """Targets of a batch, made only for samples that are not known.

        Args:
            keys: one per sample, in the order of the samples; the rest as in
                `pairwise_preference_loss`.

        Raises:
            ValueError: not one key per sample.
        """
        rows = _rows_of_samples(sample_of_context)
        if len(keys) != len(rows):
            raise ValueError(f"{len(keys)} keys for {len(rows)} samples")
        whole = (tuple(keys), positions.shape[1], dtype)
        if whole not in self._batches:
            parts = []
            for key, (start, size) in zip(keys, rows, strict=True):
                known = (key, positions.shape[1], dtype)
                if known not in self._samples:
                    here = slice(start, start + size)
                    plan = layout((0,) * size, config, positions.device)
                    self._samples[known] = make_targets(
                        positions[here],
                        lods[here],
                        token_losses[here],
                        tokens,
                        plan,
                        geometry,
                        config,
                        dtype,
                    )
                    self.made += 1
                parts.append(_used(self._samples, known))
            self._batches[whole] = join(parts)
        found = _used(self._batches, whole)
        for kept in (self._samples, self._batches):
            while len(kept) > self.capacity:
                kept.popitem(last=False)
        return found


def join(parts: Sequence[Targets]) -> Targets:
    """One batch from batches of the same width; means are taken anew over all pairs."""
    counted = torch.stack([part.counted for part in parts])
    total = counted.sum()
    portions = (counted / total.clamp(min=1)).unbind(0)
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part.padding))
    moved = [
        replace(
            part,
            worse=part.worse + start,
            weight=part.weight * portion,
            share=part.share * portion,
        )
        for part, start, portion in zip(parts, starts, portions, strict=False)
    ]
    names = [name for name in Targets.__dataclass_fields__ if name != "counted"]
    joined = {name: torch.cat([getattr(part, name) for part in moved]) for name in names}
    return Targets(counted=total, **joined)


def _used(kept: OrderedDict[Hashable, Targets], key: Hashable) -> Targets:
    kept.move_to_end(key)
    return kept[key]


def _rows_of_samples(sample_of_context: tuple[int, ...]) -> list[tuple[int, int]]:
    sizes = [len(list(group)) for _, group in groupby(sample_of_context)]
    return [(sum(sizes[:index]), size) for index, size in enumerate(sizes)]
