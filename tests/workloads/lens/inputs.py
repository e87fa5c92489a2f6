"""Hand-made and drawn contexts for the tests of the lens workload."""

from dataclasses import replace

import torch

from perfkit.workloads.lens.config import CONFIGS, Lods, LossConfig
from perfkit.workloads.lens.contexts import Sample, WorkingContext, draw_samples
from perfkit.workloads.lens.history import LossResult, ScoreHistory
from perfkit.workloads.lens.losses import LOSSES

LODS = Lods(block=4, top=2)
SMALL = replace(CONFIGS["laptop"], tokens=96, tail=16, samples=3, variants=3)
PLAIN = LossConfig(rank_weight=0, budget_weight=0, telemetry=False, keep_scores=False)


def context(entries: dict[int, int], loss: float) -> WorkingContext:
    """A context with the given level at each position."""
    return WorkingContext(
        torch.tensor([list(entries)]),
        torch.tensor([list(entries.values())]),
        torch.zeros(1, len(entries), 1),
        torch.tensor(loss, dtype=torch.float64),
    )


def fine(tokens: int = 16, loss: float = 1.0) -> WorkingContext:
    """All tokens at full detail."""
    return context(dict.fromkeys(range(tokens), 0), loss)


def coarse(loss: float, tokens: int = 16) -> WorkingContext:
    """The first four tokens summarised by one entry, the rest at full detail."""
    return context({0: 1} | dict.fromkeys(range(4, tokens), 0), loss)


def drawn(config=SMALL, step: int = 0) -> list[Sample]:
    """Drawn samples whose token losses differ by enough to give strong targets."""
    return draw_samples(config, step)


def random_scores(samples: list[Sample], dtype=torch.float64) -> list[list[torch.Tensor]]:
    """Scores between -1 and 1 that want a gradient, from a fixed seed."""
    torch.manual_seed(3)
    return [
        [
            torch.tanh(torch.randn(c.positions.shape[1], dtype=torch.float64))
            .to(dtype)
            .requires_grad_()
            for c in sample
        ]
        for sample in samples
    ]


def evaluate(name: str, samples: list[Sample], scores, config: LossConfig, lods=LODS) -> LossResult:
    """One generation's loss with an empty history."""
    return LOSSES[name](samples, scores, lods, config, ScoreHistory())


def gradients(result: LossResult, scores) -> list[torch.Tensor]:
    """d loss / d scores of every context, zero where a context played no part."""
    flat = [s for sample in scores for s in sample]
    found = torch.autograd.grad(result.loss, flat, allow_unused=True)
    return [torch.zeros_like(s) if g is None else g for s, g in zip(flat, found, strict=True)]
