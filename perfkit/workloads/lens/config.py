"""Named sizes of the workload. Every number a run depends on is here."""

from __future__ import annotations

from dataclasses import dataclass, field

from perfkit.rewrites.pairwise_preference_loss.config import Lods, LossConfig
from perfkit.rewrites.pairwise_preference_loss.drawn import Geometry


@dataclass(frozen=True)
class Config(Geometry):
    """Sizes of the data, the network and the run; lengths are in tokens or entries.

    `sync_timing` makes the timers wait for the device before they read the clock: then each stage
    pays for its own work. Without it they read as the reported ones did.
    """

    seed: int = 2025
    loss: LossConfig = field(default_factory=LossConfig)

    embedding: int = 16
    width: int = 32
    heads: int = 2
    layers: int = 2
    hidden: int = 64

    steps: int = 40
    learning_rate: float = 3e-3
    log_every: int = 10
    sync_timing: bool = False


CONFIGS: dict[str, Config] = {
    "laptop": Config(),
    # 39 contexts of 1521 entries and 39 pairs, as reported; the network's widths are our guess.
    "reported": Config(
        tokens=2048,
        tail=128,
        samples=13,
        lods=Lods(block=32, top=2),
        embedding=256,
        width=256,
        heads=4,
        hidden=1024,
        learning_rate=3e-4,
    ),
}
