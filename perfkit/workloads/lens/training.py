"""The training loop, with the report's timers as they were: wall clock, without a wait.

On a GPU the network's time is then how long its launch took, and the loss pays for the rest. The
configuration's `sync_timing` makes the same timers wait, so that each stage pays for its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from perfkit.rewrites.pairwise_preference_loss.history import LensLoss, ScoreHistory

from .config import Config
from .contexts import Sample, draw_samples
from .model import LensNet, score_samples


@dataclass
class Progress:
    """What a run leaves behind.

    Attributes:
        printed: loss values of the steps that logged.
        forward_ms, loss_ms: milliseconds of every step.
        pairs: counted in the last step that logged.
        contexts: of the last step.
    """

    printed: list[float] = field(default_factory=list)
    forward_ms: list[float] = field(default_factory=list)
    loss_ms: list[float] = field(default_factory=list)
    pairs: int = 0
    contexts: int = 0


def clock(device: torch.device, wait: bool) -> Callable[[], float]:
    """A clock in milliseconds; one that waits lets the device finish first."""

    def now() -> float:
        if wait and device.type == "cuda":
            torch.cuda.synchronize(device)
        return 1000 * time.perf_counter()

    return now


def check_variants(samples: list[Sample], config: Config) -> int:
    """How many contexts a step has, after checking what a batch must hold.

    Raises:
        ValueError: a sample without a baseline, or with more variants than were asked for.
    """
    allowed = range(1, config.variants + 2)  # near-duplicates were dropped, the baseline never is
    sizes = [len(sample) for sample in samples]
    if len(sizes) != config.samples or any(size not in allowed for size in sizes):
        raise ValueError(f"samples of {sizes} contexts, where each has 1 to {allowed[-1]}")
    return sum(sizes)


def train(config: Config, loss: LensLoss, device: torch.device) -> Progress:
    """Train a new LensNet on fresh samples in every step."""
    torch.manual_seed(config.seed)
    lens = LensNet(config).to(device)
    optimizer = torch.optim.AdamW(lens.parameters(), lr=config.learning_rate)
    history = ScoreHistory()
    progress = Progress()
    now = clock(device, config.sync_timing)
    for step in range(config.steps):
        samples = [
            [context.to(device) for context in sample] for sample in draw_samples(config, step)
        ]
        progress.contexts = check_variants(samples, config)
        started = now()
        scores = score_samples(lens, samples)
        scored = now()
        result = loss(samples, scores, config.lods, config.loss, history)
        ended = now()
        progress.forward_ms.append(scored - started)
        progress.loss_ms.append(ended - scored)

        optimizer.zero_grad()
        if result.loss.requires_grad:
            result.loss.backward()
            optimizer.step()
        if step % config.log_every == 0 or step == config.steps - 1:
            progress.printed.append(result.loss.item())
            progress.pairs = result.pairs
            details = ", ".join(f"{name} {value:.3f}" for name, value in result.telemetry.items())
            print(
                f"step {step:4d}  loss {progress.printed[-1]:.4f}  pairs {result.pairs}  {details}"
            )
    return progress


def telemetry(progress: Progress) -> dict[str, float]:
    """Means over the steps, under the names of the report."""
    steps = max(1, len(progress.loss_ms))
    return {
        "mc/lens_forward_ms": sum(progress.forward_ms) / steps,
        "mc/lens_loss_ms": sum(progress.loss_ms) / steps,
        "mc/variants_total": float(progress.contexts),
    }
