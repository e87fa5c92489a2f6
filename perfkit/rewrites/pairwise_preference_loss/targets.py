"""What the pairs ask of the scores: dense [P, W] blocks made on the device.

Nothing here depends on the scores, so that a program whose contexts repeat may keep a `Targets`.

The level that the better context shows at a position is found in a map [N, tokens + 1] written by
scatter and read by gather. A binary search would need sorted positions and, met with others, answer
wrongly in silence. Padding writes to and reads from the last column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .choice import Chosen, choose
from .config import Lods, LossConfig
from .layout import Layout

LookUp = Callable[[Chosen, Tensor, Tensor, int], Tensor]

ABSENT = -1
SMALLEST_STRENGTH = 1e-6


@dataclass(frozen=True)
class Targets:
    """What P pairs ask of the worse context's entries; floating point in the accumulating type.

    Attributes:
        worse: row of each pair's worse context, int64 [P].
        sign: 1 expand, -1 collapse, 0 no target [P, W].
        weight: of an entry's penalty in the whole loss [P, W]: strength, collapse weight, and the
            means over entries and over pairs.
        reach: by what a score is multiplied before it is judged [P, W]: sign times scale.
        bins: where an entry belongs in a histogram by kind and level, int64 [P, W]: levels of
            entries to expand, then of entries to collapse, then one bin for all others.
        kinds: entries to expand and to collapse [P, 2], 1 for none.
        entries: entries with a target [P], 1 for none.
        lean: how many more of them expand than collapse, by their number [P].
        both: there are entries of both kinds, bool [P].
        share: of a pair in the mean [P], 0 for pairs that do not count.
        counted: how many pairs count, 0-d.
        padding: which entries are none, bool [N, W].
        lods: their levels, int8 [N, W].
    """

    worse: Tensor
    sign: Tensor
    weight: Tensor
    reach: Tensor
    bins: Tensor
    kinds: Tensor
    entries: Tensor
    lean: Tensor
    both: Tensor
    share: Tensor
    counted: Tensor
    padding: Tensor
    lods: Tensor


def level_map(positions: Tensor, lods: Tensor, tokens: int) -> Tensor:
    """Level of every context at every position, int8 [N, tokens + 1]; `ABSENT` where none starts."""
    blank = torch.full((len(lods), tokens + 1), ABSENT, dtype=torch.int8, device=lods.device)
    return blank.scatter_(1, positions, lods)


def sibling_groups(positions: Tensor, lods: Tensor, tokens: int, geometry: Lods) -> Tensor:
    """Number of the group of entries that collapse together, int64 [N, W].

    Groups are numbered by level and parent block. Entries that cannot collapse share the last
    number, `group_count`.
    """
    block, per_level = geometry.block, _blocks(tokens, geometry)
    level = lods.long()
    if block & (block - 1) == 0:
        parent = positions >> ((level + 1) * (block.bit_length() - 1))
    else:
        spans = [geometry.span(lod + 1) for lod in range(geometry.top)]
        parent = positions
        for lod, span in enumerate(spans):
            parent = torch.where(lods == lod, positions // span, parent)
    # padding has level -1 and lies at `tokens`: what the sum then is does not matter
    group = level * per_level + parent
    last = group_count(tokens, geometry)
    return group.masked_fill(lods < 0, last).clamp(max=last)


def group_count(tokens: int, geometry: Lods) -> int:
    """How many groups of siblings there can be."""
    return geometry.top * _blocks(tokens, geometry)


def _blocks(tokens: int, geometry: Lods) -> int:
    return tokens // geometry.block + 1


def make_targets(
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    tokens: int,
    layout: Layout,
    geometry: Lods,
    config: LossConfig,
    dtype: torch.dtype,
) -> Targets:
    """Choose pairs and say what they ask. Shapes as in `pairwise_preference_loss`."""
    chosen = choose(token_losses, layout)
    return targets_of(chosen, positions, lods, tokens, geometry, config, dtype)


def targets_of(
    chosen: Chosen,
    positions: Tensor,
    lods: Tensor,
    tokens: int,
    geometry: Lods,
    config: LossConfig,
    dtype: torch.dtype,
    look_up: LookUp | None = None,
) -> Targets:
    """What pairs that are chosen ask of the scores."""
    levels = lods.to(torch.int8)
    padding = levels < 0
    places = positions.masked_fill(padding, tokens)
    groups = sibling_groups(places, levels, tokens, geometry)
    own = levels.index_select(0, chosen.worse)
    found = (look_up or by_map)(chosen, places, levels, tokens)
    differs = (chosen.delta != 0).unsqueeze(1)  # true for NaN, which must show in the loss
    coarser = (found > own) & (own < geometry.top) & differs
    expand = (found >= 0) & (found < own) & differs
    siblings = groups.index_select(0, chosen.worse)
    collapse = _whole_groups(coarser, siblings, group_count(tokens, geometry))
    expand = expand & ~collapse
    return _weighted(chosen, own, expand, collapse, padding, levels, geometry, config, dtype)


def by_map(chosen: Chosen, places: Tensor, levels: Tensor, tokens: int) -> Tensor:
    """Level of each better context where the worse one has entries, or `ABSENT`, int8 [P, W]."""
    shown = level_map(places, levels, tokens).index_select(0, chosen.better)
    return shown.gather(1, places.index_select(0, chosen.worse))


def _whole_groups(coarser: Tensor, siblings: Tensor, groups: int) -> Tensor:
    """True for every entry that has a sibling for which `coarser` is true, bool [P, W].

    The flags [P, groups + 2] end in a column that only non-collapsible entries read and nobody
    writes, and one that only entries without a request write and nobody reads.
    """
    flags = torch.zeros(len(siblings), groups + 2, dtype=torch.bool, device=siblings.device)
    flags.scatter_(1, torch.where(coarser, siblings, groups + 1), True)
    return flags.gather(1, siblings)


def _weighted(
    chosen: Chosen,
    own: Tensor,
    expand: Tensor,
    collapse: Tensor,
    padding: Tensor,
    levels: Tensor,
    geometry: Lods,
    config: LossConfig,
    dtype: torch.dtype,
) -> Targets:
    up, down = torch.stack([expand, collapse]).to(dtype).unbind(0)
    kinds = torch.stack([up.sum(1), down.sum(1)], dim=1)
    entries = kinds.sum(1)
    counts = entries > 0
    counted = counts.sum(dtype=dtype)
    share = counts / counted.clamp(min=1)
    entries = entries.clamp(min=1)
    strength = chosen.delta.tanh().clamp(min=SMALLEST_STRENGTH).to(dtype)
    scale = chosen.delta.clamp(min=1.0).to(dtype) / config.temperature
    kind_weight = up + down if config.collapse_weight == 1 else up + config.collapse_weight * down
    sign = up - down
    return Targets(
        worse=chosen.worse,
        sign=sign,
        weight=kind_weight * (strength * share / entries).unsqueeze(1),
        reach=(sign * scale.unsqueeze(1)).masked_fill(sign == 0, 0.0),  # the scale may be infinite
        bins=histogram_bins(own, expand, collapse, geometry),
        kinds=kinds.clamp(min=1),
        entries=entries,
        lean=(kinds[:, 0] - kinds[:, 1]) / entries,
        both=kinds.amin(1) > 0,
        share=share,
        counted=counted,
        padding=padding,
        lods=levels,
    )


def histogram_bins(own: Tensor, expand: Tensor, collapse: Tensor, geometry: Lods) -> Tensor:
    """See `Targets.bins`."""
    levels = geometry.top + 1
    bins = own + collapse.to(torch.int8) * levels
    return torch.where(expand | collapse, bins, 2 * levels).long()
