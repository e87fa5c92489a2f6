"""What both found generations compute the same way."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Lods, LossConfig, Shape
from .history import Key, LossResult, ScoreHistory

SMALLEST_STRENGTH = 1e-6
BUDGET_EPSILON = 1e-6


def preference(aligned: Tensor, config: LossConfig) -> Tensor:
    """Penalty per entry for a scaled score, already signed so that positive is right."""
    if config.shape is Shape.HINGE:
        return F.relu(config.margin - aligned)
    return F.softplus(-aligned)


def asked_and_given(scores: Tensor, span: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens that positive scores ask for and negative ones give up; a span of 0 leaves out."""
    return (span * F.relu(scores)).sum(-1), (span * F.relu(-scores)).sum(-1)


def balance(asked: Tensor, given: Tensor) -> Tensor:
    """Between 0 where as much is asked for as given up, and 1."""
    return ((asked - given) / (asked + given + BUDGET_EPSILON)).square()


def coverage(scores: Tensor, lods: Tensor, geometry: Lods) -> Tensor:
    """Squared relative change of a context's length, if every score were acted on in proportion.

    An entry above level 0 grows to `block` entries; one below the top shares its place in its
    parent with `block` - 1 others.
    """
    growth = (geometry.block - 1) * F.relu(scores) * (lods > 0)
    saved = (1 - 1 / geometry.block) * F.relu(-scores) * (lods < geometry.top)
    return ((growth - saved).sum(-1) / lods.shape[-1]).square()


def extra_terms(
    score: Tensor,
    mask: Tensor,
    lods: Tensor,
    key: Key,
    geometry: Lods,
    config: LossConfig,
    history: ScoreHistory,
) -> Tensor:
    """The terms of one pair that are off by default, weighted and summed."""
    total = score.new_zeros(())
    if config.kl_weight > 0:
        total = total + config.kl_weight * drift(score, key, history)
    if config.coverage_weight > 0:
        total = total + config.coverage_weight * coverage(score, lods, geometry)
    if config.smoothed_budget_weight > 0:
        now = torch.stack(asked_and_given(score, spans(lods, geometry, score) * mask))
        history.budgets.append(now.detach())
        decay = config.smoothed_budget_decay
        past = now if history.budget is None else history.budget.to(now)
        mixed = decay * past + (1 - decay) * now
        total = total + config.smoothed_budget_weight * balance(mixed[0], mixed[1])
    return total


def spans(lods: Tensor, geometry: Lods, like: Tensor) -> Tensor:
    """Tokens that each entry stands for, as numbers of the type of `like`."""
    return (geometry.block**lods).to(like.dtype)


def drift(score: Tensor, key: Key, history: ScoreHistory) -> Tensor:
    """KL divergence of the scores, as a distribution over entries, from the step before."""
    before = history.previous.get(key)
    if before is None or before.shape != score.shape:
        return score.new_zeros(())
    old = before.to(score.device, score.dtype).log_softmax(-1)
    return F.kl_div(score.log_softmax(-1), old, reduction="sum", log_target=True)


def measure(score: Tensor, chosen: Tensor, target: Tensor) -> dict[str, float]:
    """Telemetry of one pair: all scores of the context, those with a target, and the targets."""
    s = chosen.detach()
    spread = (s - s.mean(), target - target.mean())
    both = (spread[0] * spread[1]).mean()
    scale = (spread[0].square().mean() * spread[1].square().mean()).sqrt()
    return {
        "agreement": (s.sign() == target.sign()).float().mean().item(),
        "magnitude": score.detach().abs().mean().item(),
        "spread": score.detach().std(unbiased=False).item(),
        "correlation": (both / scale.clamp(min=1e-12)).item(),
    }


def finish(
    totals: list[Tensor], telemetry: list[dict[str, float]], device: torch.device
) -> LossResult:
    """Mean over the counted pairs; without any, a zero that has no gradient."""
    names = telemetry[0] if telemetry else {}
    means = {name: sum(row[name] for row in telemetry) / len(telemetry) for name in names}
    loss = torch.stack(totals).mean() if totals else torch.zeros((), device=device)
    return LossResult(loss, len(totals), means)
