"""Batches to prove and measure the embedding on: skewed ids, ragged and empty bags, ids out of range."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from perfkit.rewrites._rewrite import Case, Inputs
from perfkit.rewrites.fused_embedding._forms import SlotBatch
from perfkit.rewrites.fused_embedding.slots import IdPolicy, Slot

SLOTS = 28
SINGLE_VALUED = 20


@dataclass(frozen=True)
class Sizes:
    """Of a drawn batch. `outside` is the share of ids below 0 or beyond the table."""

    tokens: int
    width: int
    rows: int = 100_000
    slots: int = SLOTS
    outside: float = 0.01


def drawn_slots(sizes: Sizes, generator: torch.Generator, empty: bool = True) -> tuple[Slot, ...]:
    """Most slots hold one id or, for a tenth of the tokens, none; the others two or three."""
    return tuple(
        _slot(sizes, generator, single=slot < sizes.slots * SINGLE_VALUED // SLOTS, empty=empty)
        for slot in range(sizes.slots)
    )


def _slot(sizes: Sizes, generator: torch.Generator, single: bool, empty: bool) -> Slot:
    if single:
        lengths = (torch.rand(sizes.tokens, generator=generator) >= 0.1).long()
    else:
        spread = torch.randn(sizes.tokens, generator=generator)
        lengths = (2 * (0.5 * spread).exp()).long()
    if not empty:
        lengths.clamp_(min=1)
    offsets = torch.zeros(sizes.tokens + 1, dtype=torch.int64)
    torch.cumsum(lengths, 0, out=offsets[1:])
    return _ids(sizes, int(offsets[-1]), generator), offsets


def _ids(sizes: Sizes, count: int, generator: torch.Generator) -> Tensor:
    """Log-uniform ids, which is Zipf with exponent 1, some of them outside the table."""
    ids = torch.rand(count, generator=generator).mul(torch.log(torch.tensor(float(sizes.rows))))
    ids = ids.exp().long() - 1
    stray = torch.rand(count, generator=generator) < sizes.outside
    far = torch.randint(-3 * sizes.rows, 3 * sizes.rows, (count,), generator=generator)
    return torch.where(stray, far, ids)


def case(
    name: str,
    sizes: Sizes,
    policy: IdPolicy = IdPolicy.CLAMP,
    reduce: str = "sum",
    *,
    weighted: bool = False,
    measured: bool = False,
    dtypes: tuple[torch.dtype, ...] = (torch.float64, torch.float32),
) -> Case:
    """A drawn case; the mean is only compared for bags that are not empty."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        table = torch.randn(sizes.rows, sizes.width, generator=generator).requires_grad_()
        slots = drawn_slots(sizes, generator, empty=reduce == "sum")
        weights = tuple(
            torch.rand(values.numel(), generator=generator) for values, _ in slots if weighted
        )
        return table, SlotBatch.of(slots, weights), policy, reduce

    shape = f"{sizes.slots} slots, {sizes.tokens} tokens, D = {sizes.width}, {sizes.rows} rows"
    return Case(name, make, shape, stays_on_host=(1,), measured=measured, dtypes=dtypes)


def fixed(name: str, slots: tuple[tuple[list[int], list[int]], ...], rows: int = 5) -> Case:
    """A case written out as (values, offsets) of each slot."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        table = torch.randn(rows, 3, generator=generator).requires_grad_()
        pairs = tuple(
            (torch.tensor(v, dtype=torch.int64), torch.tensor(o, dtype=torch.int64))
            for v, o in slots
        )
        return table, SlotBatch.of(pairs), IdPolicy.CLAMP, "sum"

    return Case(name, make, stays_on_host=(1,), measured=False)


LOW = (torch.float32, torch.float16, torch.bfloat16)
CASES = (
    case("clamped", Sizes(17, 4, rows=40, slots=5, outside=0.2)),
    case("modulo", Sizes(17, 4, rows=40, slots=5, outside=0.2), IdPolicy.MODULO),
    case("mean", Sizes(17, 4, rows=40, slots=5), reduce="mean"),
    case("weighted", Sizes(17, 4, rows=40, slots=5), weighted=True),
    case("low precision", Sizes(9, 8, rows=4000, slots=3), dtypes=LOW),
    case("one slot", Sizes(6, 4, rows=10, slots=1)),
    fixed("no tokens", (([], [0]), ([], [0]))),
    fixed("only empty bags", (([], [0, 0, 0]), ([], [0, 0, 0]))),
    fixed("empty first and last bag", (([4, 1, 1], [0, 0, 3, 3]), ([0], [0, 0, 1, 1]))),
    fixed("one id everywhere", (([2, 2, 2, 2], [0, 2, 4]), ([2, 2], [0, 1, 2]))),
    case("28 slots", Sizes(60, 16, rows=3000)),  # proves what the next two measure
    case("529 tokens", Sizes(529, 64), measured=True, dtypes=()),
    case("4602 tokens", Sizes(4602, 64), measured=True, dtypes=()),
)
