"""Costs of operators held against torch.utils.flop_counter, step by step over many networks.

    python -m benchmarks.costs [--json FILE] [--calls] [NETWORK ...]

A row per network: leaf calls, the share of them with a known cost, matmul FLOPs as torch counts them and
as perfkit does for the same operators, and what perfkit counts besides (fused attention on CPU, whole
recurrent layers...). `--calls` lists the operators without a cost and why. The command fails where a
count differs or less than 95 % of the calls are known. Nothing is timed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._cost_models import BUILT, OURS, TRANSFORMERS, Step
from perfkit.capture.costs import call_of
from perfkit.costs._call import Call
from perfkit.costs._index import NotKnown, cost


@dataclass
class Row:
    """One network.

    Attributes:
        torch, ours: matmul FLOPs by operator, for those that torch counts.
        besides: our matmul FLOPs of operators that torch does not count.
        nbytes: read and written, of known calls.
        unknown: calls by operator and reason.
    """

    network: str
    calls: int = 0
    known: int = 0
    nbytes: int = 0
    torch: dict[str, int] = field(default_factory=dict)
    ours: dict[str, int] = field(default_factory=dict)
    besides: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)

    @property
    def coverage(self) -> float:
        """Share of the calls with a known cost."""
        return self.known / self.calls if self.calls else 1.0

    @property
    def holds(self) -> bool:
        """The counts are equal for every operator, and nearly all calls are known."""
        return self.torch == self.ours and self.coverage > 0.95


class Calls(TorchDispatchMode):
    """Keeps every leaf call as shapes, as perfkit's recorder does."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Call] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:
                return func.decompose(*args, **kwargs)
        out = func(*args, **kwargs)
        self.seen.append(call_of(func, args, kwargs, out))
        return out


def counted(name: str, make: Callable[[], Step]) -> Row:
    """One step of a network under both counters."""
    torch.manual_seed(0)
    step = make()
    with FlopCounterMode(display=False) as counter, Calls() as calls:
        step()
    theirs = {
        f"aten::{packet.__name__}": flops
        for packet, flops in counter.get_flop_counts().get("Global", {}).items()
        if flops
    }
    return _row(name, calls.seen, theirs)


def _row(name: str, seen: list[Call], theirs: dict[str, int]) -> Row:
    row = Row(name, calls=len(seen), torch=theirs)
    ours, besides, unknown = Counter[str](), Counter[str](), Counter[str]()
    for call in seen:
        found = cost(call)
        if isinstance(found, NotKnown):
            unknown[f"{call.name}: {found.reason}"] += 1
            continue
        row.known += 1
        row.nbytes += found.nbytes
        if found.unit == "matmul" and found.flops:
            (ours if call.name in theirs else besides)[call.name] += found.flops
    row.ours, row.besides, row.unknown = dict(ours), dict(besides), dict(unknown)
    return row


def rows(wanted: list[str]) -> tuple[list[Row], list[str]]:
    """The networks wanted, or all that can be built here; and why others cannot."""
    makers, skipped = {**OURS, **BUILT}, []
    if importlib.util.find_spec("transformers"):
        makers |= TRANSFORMERS
    else:
        skipped = [f"{name}: transformers is not installed" for name in TRANSFORMERS]
    chosen = {name: make for name, make in makers.items() if not wanted or name in wanted}
    return [counted(name, make) for name, make in chosen.items()], skipped


def table(found: list[Row]) -> Table:
    """A line per network."""
    shown = Table("network", "calls", "known", "torch MFLOP", "perfkit", "besides", "equal")
    for row in found:
        shown.add_row(
            row.network,
            f"{row.calls}",
            f"{row.coverage:.1%}",
            *(f"{sum(d.values()) / 1e6:.3f}" for d in (row.torch, row.ours, row.besides)),
            "yes" if row.torch == row.ours else "NO",
        )
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--calls", action="store_true", help="list operators without a cost")
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found, skipped = rows(options.networks)
    console = Console()
    console.print(table(found))
    for line in skipped:
        console.print(f"left out: {line}")
    if options.calls:
        for row in found:
            for reason, calls in row.unknown.items():
                console.print(f"{row.network}: {calls} x {reason}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in found], indent=1))
    return 0 if all(row.holds for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
