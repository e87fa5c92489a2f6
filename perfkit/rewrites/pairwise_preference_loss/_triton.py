"""The kernels of `triton_kernel`; importing this needs triton."""

from __future__ import annotations

import triton  # type: ignore[import-not-found,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,unused-ignore]


@triton.jit
def write_levels(  # type: ignore[no-untyped-def]
    positions, levels, shown, width, columns, BLOCK: tl.constexpr
):
    """One context: its level at every position where an entry starts."""
    row = tl.program_id(0).to(tl.int64)
    entry = tl.arange(0, BLOCK)
    inside = entry < width
    place = tl.load(positions + row * width + entry, mask=inside, other=0)
    level = tl.load(levels + row * width + entry, mask=inside, other=-1)
    tl.store(shown + row * columns + place, level, mask=inside & (level >= 0))


@triton.jit
def find_targets(  # type: ignore[no-untyped-def]
    found, level, group, inside, own, group_count, TOP: tl.constexpr
):
    """Whether entries should expand, and collapse; `own` is this program's row of flags."""
    real = level >= 0
    coarser = (found > level) & (level < TOP) & real
    tl.store(own + group, 0, mask=inside)
    tl.debug_barrier()
    tl.store(own + group, 1, mask=coarser)
    tl.debug_barrier()
    marked = tl.load(own + group, mask=inside & real & (group < group_count), other=0)
    expand = (found >= 0) & (found < level) & (marked == 0)
    return expand.to(tl.float32), (marked > 0).to(tl.float32)


@triton.jit
def penalty(aligned, margin, HINGE: tl.constexpr):  # type: ignore[no-untyped-def]
    """Penalty of aligned scores, and its slope."""
    if HINGE:
        cost = tl.maximum(margin - aligned, 0.0)
        push = tl.where(aligned < margin, -1.0, 0.0)
    else:
        cost = tl.maximum(-aligned, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(aligned)))
        push = -1.0 / (1.0 + tl.exp(aligned))
    return cost, push


@triton.jit
def rank_term(s, up, down, ups, downs, margin, weight):  # type: ignore[no-untyped-def]
    """Rank term and its slope by entry."""
    up = up / tl.maximum(ups, 1.0)
    down = down / tl.maximum(downs, 1.0)
    rank = margin - (tl.sum(s * up, 0) - tl.sum(s * down, 0))
    pull = tl.where((ups > 0) & (downs > 0) & (rank > 0), weight, 0.0)
    return pull * rank, pull * (down - up)


@triton.jit
def budget_term(s, asked, level, weight, TOP: tl.constexpr, SPAN: tl.constexpr):  # type: ignore[no-untyped-def]
    """Budget term and its slope by entry."""
    span = asked
    for step in tl.static_range(TOP):
        span = tl.where(level > step, span * SPAN, span)
    gross = tl.sum(tl.abs(s) * span, 0) + 1e-6
    ratio = tl.sum(s * span, 0) / gross
    facing = tl.where(s > 0, 1.0, tl.where(s < 0, -1.0, 0.0))
    return weight * ratio * ratio, 2 * weight * ratio / gross * span * (1.0 - ratio * facing)


@triton.jit
def tell(here, s, real, sign, ups, downs):  # type: ignore[no-untyped-def]
    """Write the telemetry of a pair, see `telemetry.measure`."""
    entries = tl.maximum(ups + downs, 1.0)
    size = tl.sum(real.to(tl.float32), 0)
    away = tl.where(real, s - tl.sum(s, 0) / size, 0.0)
    asked = tl.abs(sign)
    lean = (ups - downs) / entries
    apart = (s - tl.sum(s * asked, 0) / entries) * asked
    together = tl.sum(apart * (sign - lean), 0)
    spread = tl.sqrt(tl.sum(apart * apart, 0) * (1.0 - lean * lean) * entries)
    tl.store(here + 1, ups + downs)
    tl.store(here + 2, tl.sum((s * sign > 0).to(tl.float32), 0) / entries)
    tl.store(here + 3, tl.sum(tl.abs(s), 0) / size)
    tl.store(here + 4, tl.sqrt(tl.sum(away * away, 0) / size))
    tl.store(here + 5, together / tl.maximum(spread, 1e-12))


@triton.jit
def pair_loss(  # type: ignore[no-untyped-def]
    scores,
    positions,
    levels,
    groups,
    shown,
    better,
    worse,
    strength,
    flags,
    sums,
    slope,
    pairs,
    width,
    columns,
    group_count,
    margin,
    collapse_weight,
    rank_weight,
    budget_weight,
    TOP: tl.constexpr,
    SPAN: tl.constexpr,
    HINGE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One pair: total, telemetry sums, and the gradient of the total."""
    pair = tl.program_id(0).to(tl.int64)
    row = tl.load(worse + pair)
    entry = tl.arange(0, BLOCK)
    inside = entry < width
    at = row * width + entry
    level = tl.load(levels + at, mask=inside, other=-1).to(tl.int32)
    real = level >= 0
    s = tl.load(scores + at, mask=inside & real, other=0.0).to(tl.float32)
    place = tl.load(positions + at, mask=inside, other=0)
    group = tl.load(groups + at, mask=inside, other=0)
    found = tl.load(shown + tl.load(better + pair) * columns + place, mask=real, other=-1)
    own = flags + pair * (group_count + 2)
    up, down = find_targets(found.to(tl.int32), level, group, inside, own, group_count, TOP)

    ups, downs = tl.sum(up, 0), tl.sum(down, 0)
    sign = up - down
    reach = sign * tl.load(strength + pairs + pair)
    share = tl.load(strength + pair) / tl.maximum(ups + downs, 1.0)
    weight = (up + collapse_weight * down) * share
    cost, push = penalty(s * reach, margin, HINGE)
    rank, rank_slope = rank_term(s, up, down, ups, downs, margin, rank_weight)
    budget, budget_slope = budget_term(s, up + down, level, budget_weight, TOP, SPAN)
    gradient = push * weight * reach + rank_slope + budget_slope
    tl.store(slope + pair * width + entry, gradient, mask=inside)
    tl.store(sums + pair * 7, tl.sum(cost * weight, 0) + rank + budget)
    tell(sums + pair * 7, s, real, sign, ups, downs)
