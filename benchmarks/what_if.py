"""How far perfkit's what-if is from what then happened, on pairs of traces.

    python benchmarks/what_if.py PAIRS [--json FILE]

PAIRS is a directory of triples, one per rewrite:

    <name>.before.json.gz   trace of the program as it was
    <name>.after.json.gz    trace of the same program with the rewrite, on the same machine
    <name>.edit.json        what the rewrite did, in terms of the first trace

    {"edits": [{"edit": "without_waits", "names": ["aten::item"]},
               {"edit": "faster", "names": ["*gemm*"], "times": 2}]}

`edit` is without_waits, faster (with `times`), fused, overlapped or captured; `names` are names of
operators, calls or kernels of the first trace, `*` and `?` as in file names; `"simulated": true`
beside `edits` says that nobody measured the pair. All edits of a pair are replayed together; fusion
and capture happen once in every step.

The time of a step is that of `perfkit.analysis.dependency_graph`: from the first step's start to the
end of the last thing launched, over the number of steps. error is (predicted - after) / before, so
that it does not blow up where little was left; `within` says whether the truth lay in the range.

Measured pairs need a GPU, with profiler marks on at least three steps after warm-up. Without one this
script can only be tried on simulated pairs, whose errors say nothing about a real device.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from perfkit.analysis.dependency_graph import DependencyGraph, dependency_graph
from perfkit.analysis.what_if import Edit, what_if
from perfkit.analysis.what_if_names import Described, edits_described
from perfkit.base.errors import NotObservable, PerfkitError
from perfkit.io.chrome import read_trace

BEFORE, AFTER, EDIT = ".before.json.gz", ".after.json.gz", ".edit.json"


@dataclass(frozen=True)
class Row:
    """One pair: times per step in ns."""

    name: str
    simulated: bool
    before_ns: int
    after_ns: int
    low_ns: int
    likely_ns: int
    high_ns: int
    calibration_error: float

    @property
    def error(self) -> float:
        return (self.likely_ns - self.after_ns) / self.before_ns

    @property
    def within(self) -> bool:
        return self.low_ns <= self.after_ns <= self.high_ns


def graph_of(path: Path) -> DependencyGraph:
    """The graph of all steps of a trace."""
    events = read_trace(path)
    try:
        return dependency_graph(events, events.steps())
    except NotObservable as reason:
        raise PerfkitError(f"{path}: {reason}", "capture the pair on a GPU") from reason


def edits_of(graph: DependencyGraph, described: Sequence[dict[str, Any]]) -> list[Edit]:
    """The edits that a description means in this trace.

    Raises:
        PerfkitError: an edit nobody knows, or names that match nothing.
    """
    wanted = [
        Described(str(one.get("edit")), tuple(one.get("names", ())), one.get("times"))
        for one in described
    ]
    return edits_described(graph, wanted, graph.events.steps())


def predict(folder: Path, name: str) -> Row:
    """Predicts one pair's second trace from its first."""
    about = json.loads((folder / (name + EDIT)).read_text(encoding="utf-8"))
    before, after = (graph_of(folder / (name + suffix)) for suffix in (BEFORE, AFTER))
    found = what_if(before, edits_of(before, about["edits"]))
    return Row(
        name=name,
        simulated=bool(about.get("simulated", False)),
        before_ns=found.before_ns,
        after_ns=round(after.span_ns / after.steps),
        low_ns=found.low_ns,
        likely_ns=found.likely_ns,
        high_ns=found.high_ns,
        calibration_error=found.calibration_error,
    )


def pairs(folder: Path) -> list[str]:
    """Names of the complete triples.

    Raises:
        PerfkitError: there is none, or one lacks a file.
    """
    names = sorted(path.name.removesuffix(BEFORE) for path in folder.glob("*" + BEFORE))
    for name in names:
        for suffix in (AFTER, EDIT):
            if not (folder / (name + suffix)).exists():
                raise PerfkitError(
                    f"{folder / (name + suffix)} is missing", "a pair is three files"
                )
    if not names:
        raise PerfkitError(f"no *{BEFORE} in {folder}", "measured pairs need a GPU")
    return names


def show(rows: Sequence[Row]) -> None:
    heads = (
        "pair",
        "kind",
        "before",
        "after",
        "predicted (range)",
        "error",
        "within",
        "calibration",
    )
    table = Table(*heads, title="What-if against what then happened, µs per step")
    for row in rows:
        low, likely, high = (f"{ns / 1e3:.0f}" for ns in (row.low_ns, row.likely_ns, row.high_ns))
        table.add_row(
            row.name,
            "simulated" if row.simulated else "measured",
            f"{row.before_ns / 1e3:.0f}",
            f"{row.after_ns / 1e3:.0f}",
            f"{likely} ({low}-{high})",
            f"{row.error:+.1%}",
            "yes" if row.within else "no",
            f"{row.calibration_error:.2%}",
        )
    console = Console(width=120)
    console.print(table)
    for kind in ("measured", "simulated"):
        of = [row for row in rows if row.simulated == (kind == "simulated")]
        if of:
            median = statistics.median(abs(row.error) for row in of)
            hits = sum(row.within for row in of)
            console.print(f"{kind}: median |error| {median:.1%}, {hits} of {len(of)} within range")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    try:
        rows = [predict(options.pairs, name) for name in pairs(options.pairs)]
    except PerfkitError as error:
        print(error)
        return 2
    show(rows)
    if options.json:
        data = [{**asdict(row), "error": row.error, "within": row.within} for row in rows]
        options.json.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
