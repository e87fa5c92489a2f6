"""Generate text by drafting and verifying: `python -m perfkit.workloads.lookahead --help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from .config import CONFIGS, FORMS, MODES, Config
from .generation import Result, generate

SIZES = ("batches", "batch", "prompt", "new_tokens", "branches", "start", "longest", "seed")


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    config: Config
    device: torch.device
    threads: int


def parse(argv: Sequence[str] | None) -> Options:
    """Read the command line; impossible sizes end the program with a message."""
    parser = argparse.ArgumentParser(prog="lookahead", description="Speculative decoding.")
    parser.add_argument("--config", choices=sorted(CONFIGS), default="laptop")
    parser.add_argument("--form", choices=FORMS, default="found")
    parser.add_argument("--mode", choices=MODES, default="greedy")
    for size in SIZES:
        flag = f"--{size.replace('_', '-')}"
        parser.add_argument(flag, type=int, help=f"instead of the configuration's {size}")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; small sizes want 1")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args(argv)
    given = {size: getattr(options, size) for size in SIZES if getattr(options, size) is not None}
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        config = replace(CONFIGS[options.config], form=options.form, mode=options.mode, **given)
    except ValueError as error:
        parser.error(str(error))
    return Options(config, torch.device(options.device), options.threads)


def show(result: Result) -> None:
    """Print speed, acceptance and both clocks."""
    count = sum(map(len, result.tokens))
    print(f"sequences {len(result.tokens)}, tokens {count}, steps {result.steps}")
    if result.acceptance is not None:
        print(f"acceptance {result.acceptance:.0%} of {result.drafted} drafted tokens")
    print(f"tokens per second {result.tokens_per_s:.0f}")
    print(f"time {result.dispatch_ms:.0f} ms dispatched, {result.completed_ms:.0f} ms completed")


def main(argv: Sequence[str] | None = None) -> None:
    """Generate behind invented prompts and print how it went."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    print(f"generating, {options.config.form} and {options.config.mode}, on {options.device}")
    show(generate(options.config, options.device))


if __name__ == "__main__":
    main()
