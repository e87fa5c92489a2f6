"""Rank ads for invented users: `python -m perfkit.workloads.ctr --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from perfkit.workloads._settings import with_settings

from .config import CHOICES, CONFIGS, Config
from .data import id_effects, make_loader
from .inference import Predictions, predict
from .metrics import auc, cti2026_score, pcoc
from .model import make_model

if TYPE_CHECKING:
    from .history import Loaded
    from .running import Result

SIZES = (
    "experts",
    "layers",
    "batches",
    "users",
    "width",
    "embedding_width",
    "hidden",
    "vocab",
    "seed",
)
FORMS = "; ".join(f"{name}: {', '.join(values)}" for name, values in CHOICES.items())


@dataclass(frozen=True)
class Options:
    """What the command line asks for; `workers` are DataLoader processes."""

    config: Config
    device: torch.device
    workers: int
    threads: int
    history: tuple[Path, ...] = ()
    truth: Path | None = None
    cache: Path | None = None
    write_history: Path | None = None


def parse(argv: Sequence[str] | None) -> Options:
    """Read the command line; impossible sizes and settings end the program with a message."""
    parser = _parser()
    given = parser.parse_args(argv)
    sizes = {size: getattr(given, size) for size in SIZES if getattr(given, size) is not None}
    pairs = [text.partition("=") for text in given.set]
    if given.device == "auto":
        given.device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if not all(equals for _, equals, _ in pairs):
            raise ValueError("--set takes name=value")
        config = replace(CONFIGS[given.config], **sizes)
        config = with_settings(config, {name: value for name, _, value in pairs})
        if given.history and config.as_found:
            raise ValueError("--history needs the rewritten program, for instance --config fast")
        for path in (*given.history, *filter(None, [given.truth])):
            if not path.is_file():
                raise ValueError(f"there is no file {path}")
    except ValueError as error:
        parser.error(str(error))
    return Options(
        config,
        torch.device(given.device),
        given.workers,
        given.threads,
        tuple(given.history),
        given.truth,
        given.cache,
        given.write_history,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ctr", description="Ad ranking inference, as found or rewritten.", epilog=FORMS
    )
    parser.add_argument("--config", choices=sorted(CONFIGS), default="laptop")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of the configuration",
    )
    for size in SIZES:
        option = "--" + size.replace("_", "-")
        parser.add_argument(option, type=int, help=f"instead of the configuration's {size}")
    parser.add_argument("--workers", type=int, default=0, help="DataLoader processes")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; small sizes want 1")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--history",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="rows instead of drawn ones",
    )
    parser.add_argument(
        "--truth", type=Path, metavar="FILE", help="logid,clk of the rows to predict"
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where parsed histories are kept")
    parser.add_argument(
        "--write-history",
        type=Path,
        metavar="FILE",
        help="write the drawn rows, FILE.truth too; no more",
    )
    return parser


def show(result: Predictions) -> None:
    """Print quality, both clocks and the contest's score."""
    print(f"batches {result.batches}, rows {result.rows}, predicted {len(result.logids)}")
    print(f"latency {result.timer_s:.2f} s by the contest's timer, {result.total_s:.2f} s in all")
    area = auc(result.labels, result.probabilities)
    show_quality(area, pcoc(result.labels, result.probabilities), result.timer_s)


def show_quality(area: float | None, ratio: float | None, seconds: float) -> None:
    """Print AUC, PCOC and the contest's score, or why there is none."""
    if area is None or ratio is None:
        print("AUC and PCOC need predicted rows of both labels: no score")
        return
    print(f"AUC {area:.4f}, PCOC {ratio:.4f}, score {cti2026_score(seconds, area, ratio):.2f}")


def show_measured(result: Result) -> None:
    """Print what a rewritten run gave, dispatch and completed time apart."""
    print(f"batches {result.batches}, rows {result.rows}, predicted {result.predicted}")
    print(
        f"dispatched in {result.dispatch_s:.3f} s, completed in {result.completed_s:.3f} s,"
        f" {result.total_s:.3f} s in all"
    )
    if result.escaped:
        print("time escaped past the timer: a timer without a wait sees the first figure only")
    if not result.exact:
        print("approximate: compare AUC and PCOC with those of the program as found")
    show_quality(result.auc, result.pcoc, result.completed_s)


def show_reading(loaded: Loaded) -> None:
    """Print how many rows were read, and what was wrong with them."""
    reading, history = loaded.reading, loaded.history
    source = ", from the cache" if loaded.from_cache else ""
    print(
        f"{reading.lines} lines: {history.logid.numel()} rows of {history.user.numel()} users kept,"
        f" {reading.of_other_users} of others passed over{source}"
    )
    for reason, times in sorted(reading.problems.items()):
        first = next((line for line, why in reading.examples if why == reason), None)
        print(f"  {times} x {reason}" + (f", first in line {first}" if first else ""))


def main(argv: Sequence[str] | None = None) -> None:
    """Generate users or read them, run inference over them, print what came out."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    config, device = options.config, options.device
    if options.write_history:
        write(config, options.write_history)
    elif config.as_found:
        print(f"generating {config.users * config.batches} users")
        loader = make_loader(config, options.workers)
        effects = torch.from_numpy(id_effects(config)).float()
        model = make_model(config, effects).to(device)
        print(f"predicting on {device}")
        show(predict(model, loader, device))
    else:
        rewritten(options)


def write(config: Config, path: Path) -> None:
    """Write the drawn users' rows, and the clicks of those to predict beside them."""
    from .history import write_history

    truth = path.with_name(path.name + ".truth")
    print(f"{write_history(config, path, truth)} rows in {path}, clicks to predict in {truth}")


def rewritten(options: Options) -> None:
    """The program in its rewritten forms, on drawn users or on those of files."""
    from .history import load, read_truth  # the program as found runs without them
    from .packing import columns_of_history, with_truth
    from .running import CannotRun, columns_of, run

    config, device = options.config, options.device
    if options.history:
        loaded = load(options.history, config.slots, options.cache)
        show_reading(loaded)
        columns = columns_of_history(loaded.history)
        if options.truth:
            columns = with_truth(columns, read_truth(options.truth))
    else:
        print(f"generating {config.users * config.batches} users")
        columns = columns_of(config)
    print(f"predicting on {device}")
    try:
        show_measured(run(config, device=device, workers=options.workers, columns=columns))
    except CannotRun as error:
        sys.exit(f"ctr: {error}")


if __name__ == "__main__":
    main()
