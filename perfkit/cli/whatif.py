"""`perfkit whatif`: the step of a trace replayed with something changed, as a new time with a range."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfkit.base.errors import NotObservable, PerfkitError
from perfkit.cli._options import run_names
from perfkit.cli._sources import one_source

if TYPE_CHECKING:  # numpy comes with these, and `perfkit --help` must not wait for it
    from perfkit.analysis.trace_graph import TraceGraph
    from perfkit.analysis.trace_reading import TraceReading
    from perfkit.analysis.what_if import Prediction
    from perfkit.analysis.what_if_names import Described
    from perfkit.model.table import Cell

_Row = tuple[str, int, int, int, int]
"""What is changed, and the step's time in ns: now, and low, likely and high after it."""

_KINDS = {
    "without_waits": "without the waits of {}",
    "faster": "{} {:g}x faster",
    "fused": "{} fused into one launch",
    "overlapped": "{} overlapped",
    "captured": "{} in one CUDA graph",
}
_MOST_NODES = 200_000
_NAME = 40


@click.command()
@click.argument(
    "source",
    metavar="TRACE_OR_RUN",
    type=click.Path(path_type=Path),
    shell_complete=run_names,
)
@click.option(
    "--without-waits",
    "without_waits",
    multiple=True,
    metavar="NAME",
    help="These calls, or all waits inside these operators, no longer wait.",
)
@click.option(
    "--faster",
    multiple=True,
    metavar="NAME=K",
    help="These kernels, calls or operators take 1/K of their time.",
)
@click.option(
    "--fuse",
    "fused",
    multiple=True,
    metavar="NAME",
    help="The launches of these operators become one.",
)
@click.option(
    "--overlap",
    "overlapped",
    multiple=True,
    metavar="NAME",
    help="These copies block nobody and run beside their stream.",
)
@click.option(
    "--capture",
    "captured",
    multiple=True,
    metavar="NAME",
    help="The launches of these operators are replayed as one CUDA graph per step.",
)
@click.option("--no-cache", is_flag=True, help="Decode the trace afresh and leave no cache behind.")
def command(
    source: Path, faster: tuple[str, ...], no_cache: bool, **others: tuple[str, ...]
) -> None:
    """Predict the step time of TRACE_OR_RUN after a change, without making it.

    NAME is an operator, a runtime call, a kernel or a copy as the trace spells it, with * and ? as
    wildcards. Each edit is replayed by itself, then all of them together: savings overlap and are
    never added up. Without edits the usual questions are asked.

    \b
    Examples:
      perfkit whatif trace.json.gz
      perfkit whatif trace.json.gz --faster '*gemm*=2'
    """
    from perfkit.analysis.trace_reading import trace_reading
    from perfkit.io.chrome import read_trace
    from perfkit.io.trace_cache import cached_trace

    described = [_faster(text) for text in faster] + _described(others)
    found = one_source(source)
    trace = found.require_trace()
    in_a_run = found.directory is not None  # which holds what was recorded and nothing else
    reading = trace_reading((read_trace if no_cache or in_a_run else cached_trace)(trace))
    try:
        graph, rows = _asked(reading, described) if described else _usual(reading, trace)
    except NotObservable as reason:
        raise PerfkitError(
            f"nothing can be predicted from {trace}: {reason}",
            "record some steps after warm-up with ProfilerActivity.CUDA",
        ) from reason
    _show(trace.name, graph, rows)


def _described(others: dict[str, tuple[str, ...]]) -> list[Described]:
    from perfkit.analysis.what_if_names import Described

    return [Described(kind, (name,)) for kind, names in others.items() for name in names]


def _faster(text: str) -> Described:
    from perfkit.analysis.what_if_names import Described

    name, _, times = text.rpartition("=")
    try:
        return Described("faster", (name,), float(times))
    except ValueError as error:
        raise click.UsageError(f"--faster {text}: write NAME=K, such as '*gemm*=2'") from error


def _asked(reading: TraceReading, described: list[Described]) -> tuple[TraceGraph, list[_Row]]:
    """Each of the edits alone, then all of them together."""
    from perfkit.analysis.trace_graph import trace_graph
    from perfkit.analysis.what_if_names import edits_described

    found = trace_graph(reading.events, reading.steps.windows, reading.work, _MOST_NODES)
    edits = [edits_described(found.graph, [one], found.steps) for one in described]
    told = [found.predict(own) for own in edits]
    rows = [_row(_words(one), each) for one, each in zip(described, told, strict=True)]
    if len(rows) > 1:
        joint = found.predict([edit for own in edits for edit in own])
        rows.append(_row("all of these together", joint))
    return found, rows


def _usual(reading: TraceReading, trace: Path) -> tuple[TraceGraph, list[_Row]]:
    """The rows of the report, among them all findings together."""
    from perfkit.analysis.trace_run import trace_run
    from perfkit.rules import diagnose

    found = reading.graph
    if found.withheld is not None:
        raise NotObservable(found.withheld)
    table = diagnose(trace_run(reading.events, trace.name)).tables["what_if"]
    times = ("before_ns", "low_ns", "likely_ns", "high_ns")
    rows = []
    for record in table.records():
        before, low, likely, high = (int(record[time] or 0) for time in times)
        rows.append((_label(record), before, low, likely, high))
    return found, rows


def _row(label: str, told: Prediction) -> _Row:
    return label, told.before_ns, told.low_ns, told.likely_ns, told.high_ns


def _label(record: dict[str, Cell]) -> str:
    """The edit, and what it is done to: a line where it is known."""
    if record["file"] is not None:
        return f"{record['edit']}: {Path(str(record['file'])).name}:{record['line']}"
    name = f": {str(record['name']).removeprefix('void ')}" if record["name"] else ""
    return f"{record['edit']}{name}"


def _words(one: Described) -> str:
    return _KINDS[one.kind].format(" and ".join(one.names), one.times)


def _show(name: str, found: TraceGraph, rows: list[_Row]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from perfkit.base import units

    error = found.graph.calibration.error
    now = rows[0][1] if rows else round(found.graph.span_ns / found.graph.steps)
    console = Console()
    console.print(Text(name, "bold"))
    console.print(
        f"a step takes {units.ns(now)} ({found.taken()} replayed; unchanged, the replay is off by "
        f"{error:.1%})",
        highlight=False,
    )
    table = Table("what if", "a step takes", "range", "saves", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for label, before, low, likely, high in rows:
        table.add_row(
            Text(label if len(label) <= _NAME else label[: _NAME - 1] + "…"),
            units.ns(likely),
            f"{units.ns(low)} to {units.ns(high)}",
            f"{units.ns(before - likely)} ({units.share((before - likely) / max(before, 1))})",
        )
    console.print(table)
    console.print("Rows overlap and never add up; what is together says so.", style="dim")
