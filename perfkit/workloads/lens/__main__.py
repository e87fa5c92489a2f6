"""Train a lens on invented contexts: `python -m perfkit.workloads.lens --help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from .config import CONFIGS, Config
from .losses import LOSSES
from .training import telemetry, train

SIZES = ("steps", "samples", "variants", "tokens", "tail", "width", "layers", "seed")


@dataclass(frozen=True)
class Options:
    """What the command line asks for; `loss` is a name in LOSSES."""

    config: Config
    loss: str
    device: torch.device
    threads: int


def parse(argv: Sequence[str] | None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="lens", description="Lens training, as found and rewritten."
    )
    parser.add_argument("--config", choices=sorted(CONFIGS), default="laptop")
    parser.add_argument("--loss", choices=sorted(LOSSES), default="slow_dict")
    for size in SIZES:
        parser.add_argument(f"--{size}", type=int, help=f"instead of the configuration's {size}")
    parser.add_argument(
        "--sync-timing", action="store_true", help="let the timers wait for the device"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; small sizes want 1")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args(argv)
    given = {size: getattr(options, size) for size in SIZES if getattr(options, size) is not None}
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    config = replace(CONFIGS[options.config], sync_timing=options.sync_timing, **given)
    return Options(config, options.loss, torch.device(options.device), options.threads)


def main(argv: Sequence[str] | None = None) -> None:
    """Train, printing the loss now and then, and the two timers at the end."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    print(f"training with {options.loss} on {options.device}")
    progress = train(options.config, LOSSES[options.loss], options.device)
    waited = "after a wait for the device" if options.config.sync_timing else "without a wait"
    for name, value in telemetry(progress).items():
        print(f"{name} {value:.2f}" + (f"  ({waited})" if name.endswith("_ms") else ""))


if __name__ == "__main__":
    main()
