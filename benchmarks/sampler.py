"""What the sampler costs: CPU of its thread as a share of one core, and a busy program beside it.

    python benchmarks/sampler.py [--json FILE]

Two numbers per rate: the thread's own CPU time over the time it sampled (the goal is under 1 % of a core
at 20 Hz), and how much longer a Python-bound loop takes in CPU time of its own thread with the sampler
than without before and after, as a median.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median

from perfkit.capture.sampler import Sampler
from perfkit.capture.sources import sources

RATES = (10.0, 20.0, 100.0)
SECONDS, LOOP, PAIRS = 10.0, 3_000_000, 7


def share(hertz: float) -> float:
    """CPU of the sampler's thread as a share of one core, after it has started up."""
    sampler = Sampler(sources, hertz)
    sampler.start()
    time.sleep(1.0)
    before = _spent(sampler), time.monotonic_ns()
    time.sleep(SECONDS)
    after = _spent(sampler), time.monotonic_ns()
    sampler.stop()
    return (after[0] - before[0]) / (after[1] - before[1])


def slowdown(hertz: float) -> float:
    """CPU time of a loop of Python with the sampler beside it, over the same without."""
    ratios = []
    for _ in range(PAIRS):
        alone = _loop()
        sampler = Sampler(sources, hertz)
        sampler.start()
        time.sleep(0.3)
        beside = _loop()
        sampler.stop()
        ratios.append(2 * beside / (alone + _loop()))
    return median(ratios)


def _spent(sampler: Sampler) -> int:
    return sum(each.cost_ns or 0 for each in sampler.samples())


def _loop() -> int:
    began = time.thread_time_ns()
    total = 0
    for index in range(LOOP):
        total += index & 7
    return time.thread_time_ns() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    file = parser.parse_args().json
    rows = [{"hertz": hz, "share": share(hz), "slowdown": slowdown(hz)} for hz in RATES]
    print(f"{'samples per second':>18}  {'of one core':>11}  {'loop beside it':>14}")
    for row in rows:
        print(f"{row['hertz']:>18.0f}  {row['share']:>11.2%}  {row['slowdown']:>13.3f}x")
    if file is not None:
        file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
