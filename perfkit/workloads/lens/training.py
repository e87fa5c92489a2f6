"""The training loop, with the report's timers as they were: wall clock, without a wait.

On a GPU the network's time is then how long its launch took, and the loss pays for the rest.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from .config import Config
from .contexts import draw_samples
from .history import LensLoss, ScoreHistory
from .model import LensNet, score_samples


@dataclass
class Progress:
    """Loss values that were printed, and milliseconds summed over the steps."""

    printed: list[float]
    forward_ms: float = 0.0
    loss_ms: float = 0.0


def train(config: Config, loss: LensLoss, device: torch.device) -> Progress:
    """Train a new LensNet on fresh samples in every step."""
    torch.manual_seed(config.seed)
    lens = LensNet(config).to(device)
    optimizer = torch.optim.AdamW(lens.parameters(), lr=config.learning_rate)
    history = ScoreHistory()
    progress = Progress([])
    for step in range(config.steps):
        samples = [
            [context.to(device) for context in sample] for sample in draw_samples(config, step)
        ]
        started = time.time()
        scores = score_samples(lens, samples)
        scored = time.time()
        result = loss(samples, scores, config.lods, config.loss, history)
        ended = time.time()
        progress.forward_ms += 1000 * (scored - started)
        progress.loss_ms += 1000 * (ended - scored)

        optimizer.zero_grad()
        if result.loss.requires_grad:
            result.loss.backward()
            optimizer.step()
        if step % config.log_every == 0 or step == config.steps - 1:
            progress.printed.append(result.loss.item())
            details = ", ".join(f"{name} {value:.3f}" for name, value in result.telemetry.items())
            print(
                f"step {step:4d}  loss {progress.printed[-1]:.4f}  pairs {result.pairs}  {details}"
            )
    return progress
