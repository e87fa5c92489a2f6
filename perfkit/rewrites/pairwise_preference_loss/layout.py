"""Which contexts may be compared, as far as the host knows it: nothing here depends on a tensor.

How many contexts a sample has is known where the batch was put together. From that follow the
number of pairs, which places of a sorted list are kept, and every index that the device needs. The
indices are copied once per shape and kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, groupby

import torch
from torch import Tensor

from .config import LossConfig

Sizes = tuple[int, ...]
_KEPT_LAYOUTS = 64


@dataclass(frozen=True)
class Layout:
    """Indices of the candidates; tensors are int64 on the device.

    Attributes:
        contexts: rows in all.
        pairs: how many pairs are compared.
        first, second: rows of the candidates [P] where every one of them is compared. Otherwise the
            ranks of a sample's candidates [K], those with the best first, in order of rank.
        every: all candidates are compared, so that nothing needs to be sorted.
        width: most contexts of a sample.
        slots: row of each context of each sample [S * C], `contexts` where there is none.
        valid: which candidates exist, bool [S, K].
        sample, place: of the pairs kept [P]: their sample, and their place in its sorted list.
    """

    contexts: int
    pairs: int
    first: Tensor
    second: Tensor
    every: bool
    width: int
    slots: Tensor
    valid: Tensor
    sample: Tensor
    place: Tensor


_layouts: dict[tuple[object, ...], Layout] = {}


def layout(sample_of_context: Sizes, config: LossConfig, device: torch.device) -> Layout:
    """The layout of a batch, kept for the next batch of the same shape.

    Raises:
        ValueError: the contexts of a sample do not follow each other.
    """
    key = (sample_of_context, config.max_pairs, config.pairs_kept, device)
    known = _layouts.get(key)
    if known is not None and known.first.device == known.slots.device == device:
        return known
    if len(_layouts) >= _KEPT_LAYOUTS:
        _layouts.clear()
    _layouts[key] = made = _make(sample_of_context, config, device)
    return made


def kept_places(size: int, width: int, config: LossConfig) -> list[int]:
    """Places of a sample's kept pairs: the primary ones fill the first width - 1 places."""
    primary = max(size - 1, 0)
    additional = primary * (primary - 1) // 2
    allowed = math.ceil(config.pairs_kept * additional)
    first = min(primary, config.max_pairs)
    second = min(allowed, config.max_pairs - first)
    return [*range(first), *range(width - 1, width - 1 + second)]


def _make(sample_of_context: Sizes, config: LossConfig, device: torch.device) -> Layout:
    sizes = [len(list(group)) for _, group in groupby(sample_of_context)]
    if len(sizes) != len(set(sample_of_context)):
        raise ValueError("the contexts of a sample must follow each other")
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    width, contexts = max(sizes, default=0), sum(sizes)
    kept = [kept_places(size, width, config) for size in sizes]
    pairs = sum(len(places) for places in kept)
    every = pairs == sum(size * (size - 1) // 2 for size in sizes)
    if every:
        rows = [
            (start + i, start + j)
            for start, size in zip(starts, sizes, strict=True)
            for i, j in combinations(range(size), 2)
        ]
        ranks = rows
    else:
        ranks = list(combinations(range(width), 2))
    ladder = zip(starts, sizes, strict=True)
    slots = [start + i if i < size else contexts for start, size in ladder for i in range(width)]
    samples = [sample for sample, places in enumerate(kept) for _ in places]
    valid = [[later < size for _, later in ranks] for size in sizes] if not every else []
    places = [place for one in kept for place in one]
    parts = [[i for i, _ in ranks], [j for _, j in ranks], slots, samples, places]
    flat = torch.tensor([value for part in parts for value in part], dtype=torch.int64)
    first, second, slot, sample, place = flat.to(device).split([len(part) for part in parts])
    there = torch.tensor(valid, dtype=torch.bool).to(device)
    return Layout(contexts, pairs, first, second, every, width, slot, there, sample, place)
