"""Inputs to prove and to measure on: the reported scale, and the corners."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from perfkit.rewrites._rewrite import Case, Inputs

from .config import Lods, LossConfig, Shape
from .contexts import Context
from .drawn import Entries, Geometry, draw_entries
from .packed import Memory, Packed, pack

REPORTED = Geometry(tokens=2048, tail=128, samples=13, lods=Lods(block=32, top=2))
DEEP = Geometry(
    tokens=2048, tail=0, share=0.25, deeper_chance=0.3, samples=4, variants=4, lods=Lods(8, 2)
)
SMALL = Geometry(tokens=96, tail=16, samples=3, variants=3, deeper_chance=0.4, share=0.55)
LOSS_STEP = 1 / 64
"""Token losses are multiples of this, which every floating-point type holds exactly."""

Change = Callable[[list[list[Context]], torch.Generator], list[list[Context]]]


def context(entries: Entries, loss: float, end: int) -> Context:
    """A context with the given level at each position."""
    return Context(
        torch.tensor([list(entries)]),
        torch.tensor([list(entries.values())]),
        torch.tensor(loss),
        end,
    )


@lru_cache(maxsize=16)
def draw_contexts(geometry: Geometry, seed: int, spread: float = 1.0) -> list[list[Context]]:
    """Samples with random token losses that lie about `spread` apart; drawn once, not to be changed."""
    rng = np.random.default_rng(seed)
    return [
        [
            context(
                entries,
                2 + LOSS_STEP * round(rng.uniform(0, spread) / LOSS_STEP),
                geometry.tokens,
            )
            for entries in draw_entries(geometry, rng)
        ]
        for _ in range(geometry.samples)
    ]


def packed_inputs(
    samples: list[list[Context]], seed: int, lods: Lods, config: LossConfig, *more: object
) -> Inputs:
    """Arguments of every form, with scores between -1 and 1 that want a gradient."""
    generator = torch.Generator().manual_seed(seed)
    scores = [
        [torch.tanh(torch.randn(c.lods.shape[1], generator=generator)) for c in sample]
        for sample in samples
    ]
    rows: Packed = pack(samples, scores)
    leaf = rows.scores.bfloat16().float().requires_grad_()  # the same numbers in every type
    return (leaf, *rows.arguments[1:], lods, config, *more)


def shuffled(samples: list[list[Context]], generator: torch.Generator) -> list[list[Context]]:
    """Entries of every context in another order."""
    mixed = []
    for sample in samples:
        row = []
        for c in sample:
            order = torch.randperm(c.lods.shape[1], generator=generator)
            row.append(replace(c, positions=c.positions[:, order], lods=c.lods[:, order]))
        mixed.append(row)
    return mixed


def ragged(samples: list[list[Context]], generator: torch.Generator) -> list[list[Context]]:
    """Contexts cut at the front to different widths, and samples of different sizes."""
    cut = []
    for number, sample in enumerate(samples):
        row = []
        for c in sample[: max(1, len(sample) - number)]:
            start = int(torch.randint(0, c.lods.shape[1] // 2, (), generator=generator))
            row.append(replace(c, positions=c.positions[:, start:], lods=c.lods[:, start:]))
        cut.append(row)
    return cut


def tied(samples: list[list[Context]], generator: torch.Generator) -> list[list[Context]]:
    """Two contexts of every sample have the same loss, and all of the first sample."""
    return [
        [replace(c, token_loss=sample[0].token_loss) for c in sample]
        if number == 0
        else [replace(sample[0], token_loss=sample[-1].token_loss), *sample[1:]]
        for number, sample in enumerate(samples)
    ]


def _unchanged(samples: list[list[Context]], generator: torch.Generator) -> list[list[Context]]:
    return samples


def drawn(
    name: str,
    geometry: Geometry,
    config: LossConfig,
    change: Change = _unchanged,
    spread: float = 1.0,
    remembered: bool = False,
    **declared: object,
) -> Case:
    """A case of drawn contexts."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        samples = change(draw_contexts(geometry, seed, spread), generator)
        inputs = packed_inputs(samples, seed, geometry.lods, config)
        return (*inputs, _memory(inputs, generator)) if remembered else inputs

    return Case(name, make, **declared)  # type: ignore[arg-type]


def _memory(inputs: Inputs, generator: torch.Generator) -> Memory:
    scores = inputs[0]
    before = torch.rand(scores.shape, generator=generator) - 0.5
    kept = (torch.rand(len(scores), generator=generator) < 0.7).float()
    return Memory(before, torch.arange(len(scores)), kept, torch.tensor([40.0, 20.0]))


def _fixed(name: str, *samples: tuple[tuple[Entries, float], ...]) -> Case:
    """Contexts given by hand: for each sample (level by position, token loss)."""

    def make(seed: int) -> Inputs:
        lists = [[context(entries, loss, 32) for entries, loss in sample] for sample in samples]
        return packed_inputs(lists, seed, Lods(4, 2), LossConfig())

    return Case(name, make, measured=False)


def _fine(tokens: int = 16) -> Entries:
    return dict.fromkeys(range(tokens), 0)


_ALL_TYPES = (torch.float64, torch.float32, torch.bfloat16)
_PLAIN = LossConfig()

CASES = (
    drawn(
        "reported scale",
        REPORTED,
        _PLAIN,
        shape="39 contexts of 1521 entries, 39 pairs",
        dtypes=(torch.float32,),
    ),
    drawn(
        "deep levels",
        DEEP,
        _PLAIN,
        shape="20 contexts of about 510 entries over 2048 tokens",
        dtypes=(),
    ),
    drawn("deep levels, small", replace(DEEP, tokens=256, samples=2), _PLAIN, measured=False),
    drawn("small, every type", SMALL, _PLAIN, measured=False, dtypes=_ALL_TYPES),
    drawn("far apart", SMALL, _PLAIN, spread=20.0, measured=False),
    drawn("hinge", SMALL, replace(_PLAIN, shape=Shape.HINGE, margin=0.3), measured=False),
    drawn(
        "weights",
        SMALL,
        replace(_PLAIN, collapse_weight=0.3, temperature=0.5, margin=0.4),
        measured=False,
    ),
    drawn("capped", replace(SMALL, variants=5), replace(_PLAIN, max_pairs=8), measured=False),
    drawn(
        "capped among the best",
        replace(SMALL, variants=5, samples=6),
        replace(_PLAIN, max_pairs=3),
        spread=0.5,
        measured=False,
    ),
    drawn(
        "share of the others",
        replace(SMALL, variants=4),
        replace(_PLAIN, pairs_kept=0.4),
        change=ragged,
        measured=False,
    ),
    drawn("ragged", SMALL, _PLAIN, change=ragged, measured=False),
    drawn("shuffled entries", SMALL, _PLAIN, change=shuffled, measured=False),
    drawn("ties", SMALL, _PLAIN, change=tied, measured=False),
    drawn(
        "blocks of three",
        replace(SMALL, tokens=81, tail=9, lods=Lods(3, 2)),
        _PLAIN,
        measured=False,
    ),
    drawn(
        "every term",
        SMALL,
        replace(_PLAIN, kl_weight=0.3, coverage_weight=0.2, smoothed_budget_weight=0.4),
        change=ragged,
        remembered=True,
        measured=False,
    ),
    _fixed("one context", ((_fine(), 1.0),)),
    _fixed("all tied", ((_fine(), 1.0), ({0: 1} | dict.fromkeys(range(4, 16), 0), 1.0))),
    _fixed("agreeing everywhere", ((_fine(), 1.0), (_fine(), 2.0))),
    _fixed("no position shared", ((_fine(), 1.0), ({16: 1, 20: 1}, math.pi))),
)
