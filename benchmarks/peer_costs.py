"""FLOPs, bytes and intensity of products, convolutions and attention: perfkit beside TraceLens.

    python benchmarks/peer_costs.py FOLDER [--json FILE]

FOLDER holds traces (`NAME.json.gz`) and, under `oracle`, what TraceLens computed on them
(`NAME.tracelens.json`: rows of its GEMM, SDPA and CONV sheets). A row here is one operator with one
set of shapes; ours is what `trace_costs` says of it per call. Ratios are ours over TraceLens's.

Where the two mean different things the difference has a name, and the expected ratio follows from the
shapes alone:

    bias     TraceLens counts the addition of a bias, one FLOP per element of the result; we count
             products only, as torch's counter does
    causal   TraceLens halves the FLOPs of causal attention; we count what torch's counter does
    lse      we count the logsumexp that attention writes, TraceLens does not
    repeat   an operand with a stride of 0 (expanded), or windows that overlap: stored once, read once
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from perfkit.analysis.trace_calls import call_of
from perfkit.analysis.trace_reading import trace_reading
from perfkit.costs._call import Call, Operand
from perfkit.costs._signature import signature
from perfkit.io.chrome import read_trace
from perfkit.io.trace_shapes import signature as arguments
from perfkit.model.costs import OpCost

SHEETS = ("sheet_GEMM", "sheet_SDPA_fwd", "sheet_SDPA_bwd", "sheet_CONV_fwd", "sheet_CONV_bwd")
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Pair:
    """One operator with one set of shapes, per call; ours None where perfkit has no such row.

    Attributes:
        flops_expected, bytes_expected: the ratio that the named differences make; 1.0 without one.
    """

    trace: str
    op: str
    shapes: str
    flops: float | None
    peer_flops: float
    nbytes: float | None
    peer_nbytes: float
    differences: tuple[str, ...]
    flops_expected: float = 1.0
    bytes_expected: float = 1.0

    @property
    def flops_ratio(self) -> float | None:
        return None if self.flops is None else self.flops / self.peer_flops

    @property
    def bytes_ratio(self) -> float | None:
        return None if self.nbytes is None else self.nbytes / self.peer_nbytes

    def agrees(self, within: float = 0.01) -> bool:
        """Both ratios are what they should be."""
        pairs = (self.flops_ratio, self.flops_expected), (self.bytes_ratio, self.bytes_expected)
        return all(ours is not None and abs(ours / want - 1) <= within for ours, want in pairs)


def compared(folder: Path) -> Iterator[Pair]:
    """All rows of all traces that TraceLens has figures for."""
    for oracle in sorted((folder / "oracle").glob("*.tracelens.json")):
        peer = json.loads(oracle.read_text(encoding="utf-8"))
        rows = [row for sheet in SHEETS for row in peer.get(sheet, ())]
        trace = folder / oracle.name.replace(".tracelens.json", ".json.gz")
        if rows and trace.is_file():
            yield from _compared(trace, rows)


def _compared(trace: Path, rows: list[dict[str, Any]]) -> Iterator[Pair]:
    from perfkit.analysis.trace_costs import trace_costs

    reading = trace_reading(read_trace(trace))
    found = trace_costs(reading.events, reading.steps, reading.work, reading.owner)
    ours: dict[tuple[str, str], list[OpCost]] = {}
    for cost in found:
        ours.setdefault((cost.op, cost.signature), []).append(cost)
    for row in rows:
        call = _call(row)
        mine = [c for c in ours.get((call.name, signature(call)), ()) if not c.unknown]
        calls = sum(c.calls for c in mine)
        peer_flops = row["GFLOPS_first"] * 1e9
        peer_bytes = row["Data Moved (MB)_first"] * _MIB
        differences, flops_expected, bytes_expected = _expected(row, call, peer_flops, peer_bytes)
        yield Pair(
            trace=trace.name.removesuffix(".json.gz"),
            op=call.name,
            shapes=signature(call),
            flops=sum(c.flops or 0 for c in mine) / calls if calls else None,
            peer_flops=peer_flops,
            nbytes=sum(c.nbytes or 0 for c in mine) / calls if calls else None,
            peer_nbytes=peer_bytes,
            differences=differences,
            flops_expected=flops_expected,
            bytes_expected=bytes_expected,
        )


def _call(row: dict[str, Any]) -> Call:
    """The call that a row of TraceLens is about."""
    names = ("Input Dims_first", "Input type_first", "Input Strides_first", "Concrete Inputs_first")
    found = arguments(json.dumps([ast.literal_eval(row[name]) for name in names]))
    return call_of(row["name"], found or ())


def _expected(
    row: dict[str, Any], call: Call, flops: float, nbytes: float
) -> tuple[tuple[str, ...], float, float]:
    """The differences that apply, and the ratios of FLOPs and bytes that they make."""
    names, more_flops, more_bytes = [], 0.0, 0.0
    if row.get("param: bias") == "True":
        names.append("bias")
        more_flops -= row["param: M"] * row["param: N"]
    if row.get("param: causal") == "True":
        names.append("causal")
        more_flops += flops
    if "param: H_Q" in row:
        names.append("lse")
        more_bytes += 4 * row["param: B"] * row["param: H_Q"] * row["param: N_Q"]
    spared = sum(_repeated(operand) for operand in call.operands)
    if spared:
        names.append("repeat")
        more_bytes -= spared
    return tuple(names), (flops + more_flops) / flops, (nbytes + more_bytes) / nbytes


def _repeated(operand: Operand) -> int:
    """Bytes of elements that are stored once and stand in several places."""
    return prod(operand.shape) * operand.itemsize - operand.nbytes


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="the same rows as JSON")
    asked = parser.parse_args()
    pairs = list(compared(asked.folder))
    if not pairs:
        print(f"{asked.folder} holds no trace with figures of TraceLens", file=sys.stderr)
        return 2
    print(
        f"{'trace':18} {'operator':24} {'GFLOP':>10} {'peer':>10} ratio  {'MB':>9} {'peer':>9} ratio"
    )
    for pair in pairs:
        print(_line(pair))
    agreeing = sum(pair.agrees() for pair in pairs)
    print(f"{agreeing} of {len(pairs)} within 1 %, named differences taken into account")
    if asked.json:
        rows = [
            asdict(p) | {"flops_ratio": p.flops_ratio, "bytes_ratio": p.bytes_ratio} for p in pairs
        ]
        asked.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0 if agreeing == len(pairs) else 3


def _line(pair: Pair) -> str:
    if pair.flops is None or pair.nbytes is None:
        return f"{pair.trace:18.18} {pair.op[6:]:24.24} no such row: {pair.shapes}"
    return (
        f"{pair.trace:18.18} {pair.op[6:]:24.24} {pair.flops / 1e9:10.5f} "
        f"{pair.peer_flops / 1e9:10.5f} {pair.flops_ratio:.3f}  {pair.nbytes / 1e6:9.3f} "
        f"{pair.peer_nbytes / 1e6:9.3f} {pair.bytes_ratio:.3f}  "
        f"{'' if pair.agrees() else 'DIFFERS '}{', '.join(pair.differences)} {pair.shapes}"
    )


if __name__ == "__main__":
    sys.exit(main())
