"""A small program with three fixable lines, a diagnosis about them, and what a run of it counted."""

from __future__ import annotations

from pathlib import Path

from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Coverage, Diagnosis, Finding, Outcome, Verdict
from perfkit.model.run import Run
from perfkit.model.syncs import Frame

SOURCE = """import torch
import torch.nn.functional as F
from torch import Tensor


class Net:
    def forward(self, x: Tensor, labels):
        bad = torch.isnan(x)
        if bad.any():
            x[bad] = 0
        return F.one_hot(labels), x


def log(value):
    print(value.item())
"""
GUARD, ONE_HOT, LOG = 9, 11, 15
COMMAND = "perfkit profile --out old --device pretend-cuda train.py --lr 1"


def finding(file: Path, line: int, kinds: str, **fields: object) -> Finding:
    function = "log" if line == LOG else "Net.forward"
    return Finding(
        f"waits at {line}",
        Frame(str(file), line, function),
        evidence={"kinds": kinds},
        **fields,  # type: ignore[arg-type]
    )


def diagnosis(*findings: Finding, rule: str = "host-wait-in-step") -> Diagnosis:
    return Diagnosis(
        run="mine",
        verdict=Verdict("w", "y", "n"),
        coverage=Coverage(3, "pretend"),
        outcomes=(Outcome(rule, "found", None, findings),),
        facts={"command": COMMAND},
    )


def run(file: Path, *widths: int) -> Run:
    """A run that saw one_hot make so many classes, call by call."""
    place = Frame(str(file), ONE_HOT, "Net.forward")
    rows = [OpCost("aten::scatter_", f"i64[4,{w}] x i64[4,1]", 1, place=place) for w in widths]
    return Run(
        "mine", directory=file.parent / "profiles" / "mine", costs=tuple(rows), costed_steps=1
    )
