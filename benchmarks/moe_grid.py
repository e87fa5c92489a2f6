"""Whether `moe_dispatch` picks well: every form on a grid of experts x tokens, beside its choice.

Shown as ratios to the fastest form of the row, in CPU time on one thread, forward without gradients
(D = 128, F = 256, top 2, float32). The fastest of many is fastest partly by luck, so it is timed once
more beside the choice alone; that ratio is the verdict: at most 1.15.

    python benchmarks/moe_grid.py [--rounds 15] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from perfkit.rewrites._rewrite import Inputs
from perfkit.rewrites._timing import cpu_times
from perfkit.rewrites.moe_dispatch import REWRITE
from perfkit.rewrites.moe_dispatch._cases import drawn

EXPERTS = (8, 16, 64)
TOKENS = (1, 8, 64, 512, 4096)
LIMIT = 1.15
DENSE = ("folded", "batched")
DENSE_LIMIT = 64 * 64  # tokens x experts beyond which every expert for every token is hopeless


def row(experts: int, tokens: int, rounds: int) -> dict[str, Any]:
    """One row of the grid: microseconds per form, the choice, and how far it is off."""
    inputs = drawn(experts, tokens).make(0)
    forms = [REWRITE.reference] + [
        form
        for form in REWRITE.forms
        if form.exact
        and form.name != "as chosen"
        and form.unavailable(*inputs) is None
        and (form.name not in DENSE or tokens * experts <= DENSE_LIMIT)
    ]
    with torch.no_grad():
        times = cpu_times(forms, inputs, rounds=rounds)
    best = min(times, key=lambda name: times[name])
    chosen = REWRITE.chosen(inputs).name
    return {
        "experts": experts,
        "tokens": tokens,
        "microseconds": {name: seconds * 1e6 for name, seconds in times.items()},
        "chosen": chosen,
        "best": best,
        "off": 1.0 if best == chosen else duel(chosen, best, inputs, rounds),
    }


def duel(chosen: str, best: str, inputs: Inputs, rounds: int) -> float:
    """CPU time of the choice over that of the fastest form, timed again, of these two alone."""
    with torch.no_grad():
        times = cpu_times([REWRITE.form(chosen), REWRITE.form(best)], inputs, rounds=2 * rounds)
    return times[chosen] / times[best]


def shown(row: dict[str, Any]) -> str:
    times = row["microseconds"]
    fastest = min(times.values())
    ratios = "  ".join(f"{name} {taken / fastest:.2f}" for name, taken in times.items())
    verdict = f"chosen {row['chosen']}, {row['off']:.2f} of {row['best']}"
    return f"{row['experts']:3} x {row['tokens']:4}  {fastest:7.0f} us  {ratios}  -> {verdict}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    for experts in EXPERTS:
        for tokens in TOKENS:
            rows.append(row(experts, tokens, given.rounds))
            print(shown(rows[-1]), flush=True)
    worst = max(rows, key=lambda row: row["off"])
    print(f"worst choice: {worst['off']:.2f} of the best, allowed {LIMIT}")
    if given.json:
        given.json.write_text(json.dumps({"limit": LIMIT, "rows": rows}, indent=1))
    return 0 if worst["off"] <= LIMIT else 3


if __name__ == "__main__":
    sys.exit(main())
