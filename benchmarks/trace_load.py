"""How long a trace takes from file to analysed tables, and how much memory: perfkit beside its peers.

    python benchmarks/trace_load.py TRACE [--sizes 5 100] [--only perfkit] [--rounds 3] [--json FILE]

TRACE is repeated to each size (10^6 bytes of raw JSON, see `_inflate`). Every tool reads the same file,
each time in a process of its own; a row is the median of the rounds, which take turns. `--python`
names another interpreter for a peer that does not live in this one: `--python hta=/venv/bin/python`.
A peer that is not installed is said to be missing, never counted.

Equal work is: load, device busy and idle, kinds of device work, kernels by name, idle causes or steps as
far as the tool has them. A definition of each tool:

    perfkit          read_trace, then the breakdown below, in numpy
    perfkit cached   the second opening of the same file, with the same breakdown
    hta              TraceAnalysis (traceinsight), temporal, kernel and idle breakdown of one rank
    torch_tb_profiler  RunProfileData.parse and process: what the plugin does before it shows a page
    tracelens tree   TreePerfAnalyzer.from_file, the tree alone (AMD's TraceLens is not on PyPI)
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

MISSING = 3
MB = 1_000_000
BASELINE = "perfkit"
_SETTLED_S = 2.1  # a file younger than this is hashed again


def perfkit(trace: Path) -> None:
    from perfkit.io.chrome import read_trace

    _breakdown(read_trace(trace))


def perfkit_cached(trace: Path) -> None:
    from perfkit.io.trace_cache import cached_trace

    _breakdown(cached_trace(trace))


def openings(trace: Path) -> dict[str, float]:
    """Seconds of one reading, of the opening that leaves a cache behind, and of one from it."""
    import pyarrow.parquet  # noqa: F401  an import is no opening

    from perfkit.io.chrome import read_trace
    from perfkit.io.trace_cache import cached_trace

    def seconds(opening: Callable[[Path], Any]) -> float:
        began = time.perf_counter()
        opening(trace)
        return time.perf_counter() - began

    return {
        "read": statistics.median(seconds(read_trace) for _ in range(3)),
        "first": seconds(cached_trace),
        "again": statistics.median(seconds(cached_trace) for _ in range(5)),
    }


def _breakdown(events: Any) -> dict[str, Any]:
    """Per step and in all: device busy, idle, each kind of work; kernels by name."""
    import numpy as np

    from perfkit.model.events import DEVICE_WORK

    rows = np.flatnonzero(events.of(DEVICE_WORK))
    start, end = events.start[rows], events.end[rows]
    collective = events.named(n for n in events.names if "nccl" in n.lower())[rows]
    kinds = {
        "busy": np.ones(len(rows), bool),
        "communication": collective & events.of(("kernel",))[rows],
        "copies": events.of(("gpu_memcpy", "gpu_memset"))[rows],
    }
    kinds["compute"] = ~kinds["communication"] & ~kinds["copies"]
    windows = [(s.start_ns, s.end_ns) for s in events.steps()]
    windows.append((int(start.min()), int(end.max())) if len(rows) else (0, 0))
    table = []
    for low, high in windows:
        first, last = np.clip(start, low, high), np.clip(end, low, high)
        times = {kind: _union(first[mask], last[mask]) for kind, mask in kinds.items()}
        table.append({**times, "idle": high - low - times["busy"]})
    dur = events.dur[rows]
    totals = np.bincount(events.name[rows], weights=dur, minlength=len(events.names))
    counts = np.bincount(events.name[rows], minlength=len(events.names))
    top = np.argsort(-totals)[:100]
    kernels = [(events.names[i], int(counts[i]), int(totals[i])) for i in top.tolist()]
    return {"steps": table, "kernels": kernels}


def _union(start: Any, end: Any) -> int:
    """Measure of the union of intervals sorted by start."""
    import numpy as np

    if not len(start):
        return 0
    reach = np.maximum.accumulate(end)
    before = np.concatenate((start[:1], reach[:-1]))
    return int((reach - np.maximum(before, np.minimum(start, reach))).clip(0).sum())


def hta(trace: Path) -> None:
    from hta.trace_analysis import TraceAnalysis

    analysis = TraceAnalysis(trace_files={0: str(trace)}, include_last_profiler_step=True)
    analysis.get_temporal_breakdown(visualize=False)
    analysis.get_gpu_kernel_breakdown(visualize=False)
    analysis.get_idle_time_breakdown(ranks=[0], visualize=False)


def torch_tb_profiler(trace: Path) -> None:
    from torch_tb_profiler.profiler.data import RunProfileData

    with tempfile.TemporaryDirectory() as folder:
        RunProfileData.parse("worker", None, str(trace), folder).process()


def tracelens_tree(trace: Path) -> None:
    from TraceLens import TreePerfAnalyzer

    TreePerfAnalyzer.from_file(profile_filepath=str(trace))


TOOLS: Mapping[str, Callable[[Path], None]] = {
    "perfkit": perfkit,
    "perfkit cached": perfkit_cached,
    "hta": hta,
    "torch_tb_profiler": torch_tb_profiler,
    "tracelens tree": tracelens_tree,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 0 also where peers are missing."""
    options = _parse(arguments)
    if options.inside:
        return _inside(*options.inside)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for size in options.sizes:
            rows += _measure(_inflated(options.trace, size, Path(folder)), size, options)
    _print(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trace", type=Path, nargs="?", metavar="TRACE")
    parser.add_argument("--sizes", type=float, nargs="+", default=[5, 100], metavar="MB")
    parser.add_argument("--only", nargs="+", choices=TOOLS, default=list(TOOLS), metavar="TOOL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gz", action="store_true", help="compress the inflated traces")
    parser.add_argument("--python", nargs="+", default=[], metavar="TOOL=PATH")
    parser.add_argument("--folder", type=Path, help="where the large files go for a while")
    parser.add_argument("--openings", action="store_true", help="time the cache's openings, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON")
    parser.add_argument("--inside", nargs=2, metavar=("TOOL", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not options.trace and not options.inside:
        parser.error("give a trace to inflate")
    return options


def _inside(tool: str, trace: str) -> int:
    """One measurement, in its own process."""
    if tool == "openings":
        print(json.dumps(openings(Path(trace))))
        return 0
    try:
        TOOLS[tool](Path(trace))
    except ImportError as error:
        print(error, file=sys.stderr)
        return MISSING
    return 0


def _inflated(trace: Path, size: float, folder: Path) -> Path:
    """In a process of its own: its memory must not count."""
    target = folder / f"{size:g}MB.json"
    script = Path(__file__).with_name("_inflate.py")
    subprocess.run([sys.executable, script, trace, str(size), target], check=True)
    return target


def _measure(trace: Path, size: float, options: argparse.Namespace) -> list[dict[str, Any]]:
    raw = trace.stat().st_size
    if options.gz:
        subprocess.run(["gzip", "-1", str(trace)], check=True)
        trace = trace.with_name(trace.name + ".gz")
    pythons = dict(each.split("=", 1) for each in options.python)
    found: dict[str, list[tuple[float, int]]] = {tool: [] for tool in options.only}
    missing: dict[str, str] = {}
    if options.openings:
        _print_openings(trace)
    for _ in range(options.rounds):
        for tool in options.only:
            if tool not in missing:
                outcome = _once(pythons.get(tool, sys.executable), tool, trace)
                if isinstance(outcome, str):
                    missing[tool] = outcome
                else:
                    found[tool].append(outcome)
    trace.unlink()
    shutil.rmtree(trace.parent / "perfkit", ignore_errors=True)
    rows = [
        {"size_mb": size, "raw_mb": raw / MB, "tool": tool, **_median(found[tool])}
        | ({"missing": missing[tool]} if tool in missing else {})
        for tool in options.only
    ]
    base = next((row for row in rows if row["tool"] == BASELINE and "seconds" in row), None)
    for row in rows if base else ():
        if "seconds" in row:
            row["time_ratio"] = row["seconds"] / base["seconds"]
            row["memory_ratio"] = row["peak_mb"] / base["peak_mb"]
    return rows


def _print_openings(trace: Path) -> None:
    time.sleep(_SETTLED_S)
    command = [sys.executable, __file__, "--inside", "openings", str(trace)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command,
            env={**os.environ, "XDG_CACHE_HOME": folder},
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout)
    again = found["again"]
    print(
        f"{trace.stat().st_size / MB:.0f} MB: read in {found['read']:.3f} s, first opening "
        f"{found['first']:.3f} s, opened again in {again:.3f} s: {found['read'] / again:.0f}x faster "
        f"than reading, {found['first'] / again:.0f}x than the first opening"
    )


def _median(runs: Sequence[tuple[float, int]]) -> dict[str, float]:
    if not runs:
        return {}
    seconds = statistics.median(each[0] for each in runs)
    return {"seconds": seconds, "peak_mb": statistics.median(each[1] for each in runs) / MB}


def _once(python: str, tool: str, trace: Path) -> tuple[float, int] | str:
    """Wall seconds and peak bytes of one whole process, or why there are none."""
    command = [python, __file__, "--inside", tool, str(trace)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(trace.parent)}
    cache = trace.parent / "perfkit"
    if tool == "perfkit cached" and not cache.exists():  # the first opening leaves it behind
        time.sleep(_SETTLED_S)
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        last = errors.read().decode(errors="replace").strip().rsplit("\n", 1)[-1]
    if child.returncode == 0:
        return seconds, usage.ru_maxrss * 1024
    return last if child.returncode == MISSING else f"exit code {child.returncode}: {last}"


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="From file to analysed tables, whole processes", title_justify="left")
    for column in ("raw MB", "tool", "s", "MB/s", "peak MB", "time", "memory"):
        table.add_column(column, justify="left" if column == "tool" else "right")
    for row in rows:
        cells = [f"{row['raw_mb']:.0f}", row["tool"]]
        if "seconds" in row:
            cells += [f"{row['seconds']:.2f}", f"{row['raw_mb'] / row['seconds']:.0f}"]
            cells += [f"{row['peak_mb']:.0f}"]
            cells += [f"{row[key]:.1f}x" for key in ("time_ratio", "memory_ratio") if key in row]
        else:
            cells.append(f"missing: {row['missing']}")
        table.add_row(*cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    raise SystemExit(main())
