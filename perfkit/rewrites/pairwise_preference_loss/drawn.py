"""Invented contexts of a given geometry: what the cases here and the lens workload are made of.

A sample has a baseline, which simply keeps the latest tokens at full detail, and variants over all
tokens in which random aligned blocks were collapsed until they are as short.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from .config import Lods

Entries = dict[int, int]
"""Level of detail by position, ascending."""


@dataclass(frozen=True)
class Geometry:
    """Lengths in tokens; the last `tail` tokens stay at full detail.

    Attributes:
        share: of the tokens, wanted as entries of a context.
        deeper_chance: how often the deepest level that can be collapsed comes first.
        near_duplicate: share of common entries from which a variant is dropped.
    """

    tokens: int = 256
    tail: int = 32
    share: float = 0.75
    deeper_chance: float = 0.1
    near_duplicate: float = 0.98
    samples: int = 6
    variants: int = 2
    lods: Lods = field(default_factory=Lods)


def context_width(geometry: Geometry) -> int:
    """Entries of every context: the most that whole collapses reach within the wanted share."""
    removed = geometry.lods.block - 1
    excess = geometry.tokens * (1 - geometry.share)
    return geometry.tokens - removed * math.ceil(excess / removed)


def collapsible(entries: Entries, lod: int, end: int, lods: Lods) -> list[int]:
    """Starts of the blocks before `end` whose children are all there at level `lod`."""
    child, parent = lods.span(lod), lods.span(lod + 1)
    return [
        start
        for start in range(0, end - parent + 1, parent)
        if all(entries.get(position) == lod for position in range(start, start + parent, child))
    ]


def collapse(entries: Entries, start: int, lod: int, lods: Lods) -> None:
    """Replace the children of level `lod` that begin at `start` by their parent, in place."""
    for position in range(start, start + lods.span(lod + 1), lods.span(lod)):
        del entries[position]
    entries[start] = lod + 1


def draw_variant(geometry: Geometry, rng: np.random.Generator) -> Entries:
    """All tokens, with random blocks collapsed until the wanted width is reached.

    Raises:
        ValueError: the tail at full detail leaves too few blocks to collapse.
    """
    lods, end = geometry.lods, geometry.tokens - geometry.tail
    entries: Entries = dict.fromkeys(range(geometry.tokens), 0)
    while len(entries) > context_width(geometry):
        order = list(range(lods.top))
        if rng.random() < geometry.deeper_chance:
            order.reverse()
        for lod in order:
            starts = collapsible(entries, lod, end, lods)
            if starts:
                collapse(entries, int(rng.choice(starts)), lod, lods)
                break
        else:
            raise ValueError("nothing left to collapse: lower `tail` or raise `share`")
    return dict(sorted(entries.items()))


def draw_entries(geometry: Geometry, rng: np.random.Generator) -> list[Entries]:
    """The baseline and the variants of one sample, near-duplicates dropped."""
    width, end = context_width(geometry), geometry.tokens
    kept: list[Entries] = [dict.fromkeys(range(end - width, end), 0)]
    for _ in range(geometry.variants):
        variant = draw_variant(geometry, rng)
        shared = max(len(variant.items() & other.items()) for other in kept)
        if shared < geometry.near_duplicate * width:
            kept.append(variant)
    return kept
