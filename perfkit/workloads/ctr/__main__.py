"""Rank ads for invented users: `python -m perfkit.workloads.ctr --help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from .config import CONFIGS, Config
from .data import id_effects, make_loader
from .inference import Predictions, predict
from .metrics import auc, cti2026_score, pcoc
from .model import make_model

SIZES = ("experts", "layers", "batches", "users", "width", "embedding", "hidden", "vocab", "seed")


@dataclass(frozen=True)
class Options:
    """What the command line asks for; `workers` are DataLoader processes."""

    config: Config
    device: torch.device
    workers: int
    threads: int


def parse(argv: Sequence[str] | None) -> Options:
    """Read the command line; impossible sizes end the program with a message."""
    parser = argparse.ArgumentParser(prog="ctr", description="Ad ranking inference, as found.")
    parser.add_argument("--config", choices=sorted(CONFIGS), default="laptop")
    for size in SIZES:
        parser.add_argument(f"--{size}", type=int, help=f"instead of the configuration's {size}")
    parser.add_argument("--workers", type=int, default=0, help="DataLoader processes")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; small sizes want 1")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args(argv)
    given = {size: getattr(options, size) for size in SIZES if getattr(options, size) is not None}
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        config = replace(CONFIGS[options.config], **given)
    except ValueError as error:
        parser.error(str(error))
    return Options(config, torch.device(options.device), options.workers, options.threads)


def show(result: Predictions) -> None:
    """Print quality, both clocks and the contest's score."""
    area = auc(result.labels, result.probabilities)
    ratio = pcoc(result.labels, result.probabilities)
    print(f"batches {result.batches}, rows {result.rows}, predicted {len(result.logids)}")
    print(f"latency {result.timer_s:.2f} s by the contest's timer, {result.total_s:.2f} s in all")
    if area is None or ratio is None:
        print("AUC and PCOC need predicted rows of both labels: no score")
        return
    score = cti2026_score(result.timer_s, area, ratio)
    print(f"AUC {area:.4f}, PCOC {ratio:.4f}, score {score:.2f}")


def main(argv: Sequence[str] | None = None) -> None:
    """Generate users, run inference over them, print what came out."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    config, device = options.config, options.device
    print(f"generating {config.users * config.batches} users")
    loader = make_loader(config, options.workers)
    effects = torch.from_numpy(id_effects(config)).float()
    model = make_model(config, effects).to(device)
    print(f"predicting on {device}")
    show(predict(model, loader, device))


if __name__ == "__main__":
    main()
