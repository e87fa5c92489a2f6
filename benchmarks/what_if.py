"""How far perfkit's what-if is from what then happened, on pairs of traces.

    python benchmarks/what_if.py PAIRS [--json FILE]
    python benchmarks/what_if.py --queue-device [--keep FOLDER] [--rounds N] [--json FILE]

PAIRS is a directory of triples, one per rewrite:

    <name>.before.json.gz   trace of the program as it was
    <name>.after.json.gz    trace of the same program with the rewrite, on the same machine
    <name>.edit.json        what the rewrite did, in terms of the first trace

    {"device": "GPU",
     "edits": [{"edit": "without_waits", "names": ["aten::item"]},
               {"edit": "faster", "names": ["*gemm*"], "times": 2}]}

`edit` is without_waits, faster (with `times`), host_faster (with `times`; without names everywhere),
fused, overlapped or captured; `names` are names of operators, calls, annotations or kernels of the
first trace, `*` and `?` as in file names. `device` says who took the time: "GPU", "software device",
or "simulated" where nobody measured. All edits of a pair are replayed together; fusion and capture
happen once in every step.

`--queue-device` makes the pairs first: it really runs the programs of `_queue_programs`, before and
after their rewrite, on `_queue_device`: streams that are processes, behind bounded queues. Before and
after are run in turns until the three fastest runs of each agree to 1 %, `--rounds` times or 10 s at
most, and of each the fastest run counts: other processes only ever add time, a whole slice of the
scheduler (4 ms here) each time they take the core. On a machine whose cores are all taken, a slice lost
by a stream in the shadow of the host is hidden in the first trace and stands in the prediction: look at
`disturbed`, and measure on a machine left alone.
That holds the replay against real asynchronous queueing, real waits and real noise. It says nothing
about CUDA's own constants (launch latency, cost of a wait, of a graph launch), nor how kernels share
a device or how long a fused kernel takes. For that, pairs measured on a GPU are needed: profiler
marks on at least three steps after warm-up, and the first form.

The time of a step is that of `perfkit.analysis.dependency_graph`: from the first step's start to the
end of the last thing launched, over the number of steps. error is (predicted - after) / before, so
that it does not blow up where little was left; `within` says whether the truth lay in the range,
which counts the noise of the recorded steps in.
`at resolution`: outside of it, but by no more than the three fastest runs of one program differ or, at
least, may differ: 1 % of before. `disturbed` is how much longer the median run took than the fastest:
large on a busy machine, where errors mean less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
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
LEAST_ROUNDS, AGREES, PATIENCE_S = 5, 0.01, 10
GPU, SOFTWARE, SIMULATED = DEVICES = ("GPU", "software device", "simulated")


@dataclass(frozen=True)
class Row:
    """One pair: times per step in ns; `device` is one of DEVICES.

    `noise_ns`: part of the range, see `perfkit.analysis.step_noise`; None where unknown.
    `resolution`, `disturbance`: how much longer than the fastest run of a program its third fastest
    and its median took, the larger of before and after, as ratios; None where unknown.
    """

    name: str
    device: str
    before_ns: int
    after_ns: int
    low_ns: int
    likely_ns: int
    high_ns: int
    calibration_error: float
    resolution: float | None = None
    disturbance: float | None = None
    noise_ns: int | None = None

    @property
    def error(self) -> float:
        return (self.likely_ns - self.after_ns) / self.before_ns

    @property
    def within(self) -> bool:
        """In the range; where nothing was to be saved, no further from before than noise."""
        nothing = self.low_ns == self.before_ns
        slack = (self.noise_ns or 0) if nothing else 0
        return self.low_ns - slack <= self.after_ns <= self.high_ns + slack

    @property
    def width(self) -> float:
        """Of the range, as a share of the old step time."""
        return (self.high_ns - self.low_ns) / self.before_ns

    @property
    def within_resolution(self) -> bool:
        """Within the range, or outside it by no more than runs of one program may differ."""
        resolution = 0.0 if self.resolution is None else max(self.resolution, AGREES)
        slack = resolution * self.before_ns
        return self.low_ns - slack <= self.after_ns <= self.high_ns + slack


class Fastest:
    """The fastest of several runs of one program."""

    def __init__(self) -> None:
        self.spans: list[int] = []
        self.events: list[dict[str, Any]] = []

    def take(self, span_ns: int, events: list[dict[str, Any]]) -> None:
        if not self.spans or span_ns < min(self.spans):
            self.events = events
        self.spans.append(span_ns)

    @property
    def resolution(self) -> float:
        """How much longer the third fastest took than the fastest, a ratio."""
        spans = sorted(self.spans)
        return spans[min(2, len(spans) - 1)] / spans[0] - 1

    @property
    def disturbance(self) -> float:
        """How much longer the median took than the fastest, a ratio."""
        return statistics.median(self.spans) / min(self.spans) - 1

    def agrees(self) -> bool:
        return self.resolution <= AGREES


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
    device = about.get("device", GPU)
    if device not in DEVICES:
        raise PerfkitError(f"{name}{EDIT}: no such device: {device!r}", f"one of {DEVICES}")
    before, after = (graph_of(folder / (name + suffix)) for suffix in (BEFORE, AFTER))
    found = what_if(before, edits_of(before, about["edits"]))
    return Row(
        name=name,
        device=device,
        before_ns=found.before_ns,
        after_ns=round(after.span_ns / after.steps),
        low_ns=found.low_ns,
        likely_ns=found.likely_ns,
        high_ns=found.high_ns,
        calibration_error=found.calibration_error,
        resolution=about.get("resolution"),
        disturbance=about.get("disturbance"),
        noise_ns=found.noise_ns,
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


def capture(folder: Path, rounds: int, only: Sequence[str] = ()) -> list[str]:
    """Runs the pairs on the software device and writes their triples; gives their names."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from benchmarks._queue_device import QueueDevice
    from benchmarks._queue_host import captured, written
    from benchmarks._queue_programs import PAIRS

    names = [name for name in PAIRS if not only or name in only]
    with QueueDevice() as device:
        for name in names:
            pair = PAIRS[name]
            before, after = Fastest(), Fastest()
            until = time.monotonic() + PATIENCE_S
            for number in range(rounds):
                before.take(*captured(device, pair.before, pair.steps))
                after.take(*captured(device, pair.after, pair.steps))
                agreed = number >= LEAST_ROUNDS and before.agrees() and after.agrees()
                if agreed or time.monotonic() > until:
                    break
            written(before.events, folder / (name + BEFORE))
            written(after.events, folder / (name + AFTER))
            about = {
                "device": SOFTWARE,
                "edits": pair.edits,
                "resolution": round(max(before.resolution, after.resolution), 4),
                "disturbance": round(max(before.disturbance, after.disturbance), 3),
            }
            path = folder / (name + EDIT)
            path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return names


def show(rows: Sequence[Row]) -> None:
    heads = (
        "pair",
        "before",
        "predicted (range)",
        "after",
        "error",
        "within",
        "resolution",
        "disturbed",
    )
    console = Console(width=120)
    for kind in DEVICES:
        of = [row for row in rows if row.device == kind]
        if not of:
            continue
        table = Table(*heads, title=f"What-if against what then happened ({kind}), µs per step")
        for row in of:
            table.add_row(*cells(row))
        console.print(table)
        median, worst = (each(abs(row.error) for row in of) for each in (statistics.median, max))
        hits, near = sum(row.within for row in of), sum(row.within_resolution for row in of)
        told = f"{hits} of {len(of)} within range"
        if near > hits:
            told += f", {near} within it or the resolution of the measurement"
        console.print(f"{kind}: median |error| {median:.1%}, largest {worst:.1%}, {told}")


def cells(row: Row) -> tuple[str, ...]:
    low, likely, high = (f"{ns / 1e3:,.0f}" for ns in (row.low_ns, row.likely_ns, row.high_ns))
    return (
        row.name,
        f"{row.before_ns / 1e3:,.0f}",
        f"{likely} ({low}-{high})",
        f"{row.after_ns / 1e3:,.0f}",
        f"{row.error:+.1%}",
        "yes" if row.within else "at resolution" if row.within_resolution else "no",
        "unknown" if row.resolution is None else f"{row.resolution:.1%}",
        "unknown" if row.disturbance is None else f"{row.disturbance:.0%}",
    )


def _rows(options: argparse.Namespace) -> list[Row]:
    if options.pairs is not None:
        return [predict(options.pairs, name) for name in pairs(options.pairs)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return [predict(folder, name) for name in capture(folder, options.rounds, options.only)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, nargs="?", help="a directory of triples")
    parser.add_argument("--queue-device", action="store_true", help="make the pairs in software")
    parser.add_argument("--keep", type=Path, help="where to leave the pairs made")
    parser.add_argument("--rounds", type=int, default=80, help="most runs of each program")
    parser.add_argument("--only", nargs="*", default=(), help="names of the pairs to make")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if (options.pairs is None) != options.queue_device:
        parser.error("either a directory of pairs or --queue-device")
    try:
        rows = _rows(options)
    except PerfkitError as error:
        print(error)
        return 2
    show(rows)
    if options.json:
        judged = ("error", "within", "within_resolution")
        data = [asdict(row) | {name: getattr(row, name) for name in judged} for row in rows]
        options.json.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
