"""How long a trace takes from file to analysed tables, and how much memory: perfkit beside its peers.

    python benchmarks/trace_load.py TRACE [--sizes 5 100] [--only perfkit] [--rounds 3] [--json FILE]

TRACE is repeated until it has each size (10^6 bytes of raw JSON, see `_inflate`; never less than it
has). Every tool reads the same file, each time in a process of its own, imports included; a row is
the median of the rounds, which take turns. Seconds of CPU bear a busy machine better than those of
the clock. `--python` names another interpreter for a peer that does not live in this one:
`--python hta=/venv/bin/python`. A peer that is not installed is said to be missing, never counted.

Equal work is: load, steps with device busy, communication, copies and idle, kernels by name, causes of
idle time, as far as the tool has them. A definition of each tool:

    perfkit            equal work by perfkit's own analyses: steps, breakdown of device and host,
                       kernels with the operator of each, idle time with the wait or launch behind it
    perfkit diagnosis  what `perfkit analyze --no-cache` does before it writes the page: the reading,
                       all rules, all tables; compared with what the peers do for their breakdown
    perfkit cached     equal work, the file opened for the second time
    hta                TraceAnalysis (traceinsight), temporal, kernel and idle breakdown of one rank
    torch_tb_profiler  RunProfileData.parse and process: what the plugin does before it shows a page
    tracelens tree     TreePerfAnalyzer.from_file, the tree alone (AMD's TraceLens is not on PyPI)
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
BASELINES = ("perfkit", "perfkit diagnosis")
_COMPARED = {"time": "seconds", "cpu": "cpu_seconds", "memory": "peak_mb"}
_Cost = tuple[float, float, int]  # wall seconds, seconds of CPU, peak bytes
_SETTLED_S = 2.1  # a file younger than this is hashed again


def perfkit(trace: Path) -> None:
    from perfkit.io.chrome import read_trace

    _equal_work(read_trace(trace, shapes=False))  # no peer's breakdown needs them either


def perfkit_cached(trace: Path) -> None:
    from perfkit.io.trace_cache import cached_trace

    _equal_work(cached_trace(trace))


def perfkit_diagnosis(trace: Path) -> None:
    from perfkit.analysis.trace_run import trace_run
    from perfkit.io.chrome import read_trace
    from perfkit.rules import diagnose

    found = diagnose(trace_run(read_trace(trace), trace.stem))
    crashed = [outcome for outcome in found.outcomes if outcome.state == "error"]
    assert not crashed, crashed


def _equal_work(events: Any) -> None:
    from perfkit.analysis.device_idle import device_idle, idle_causes_table
    from perfkit.analysis.device_work import device_work
    from perfkit.analysis.host_time import host_time
    from perfkit.analysis.kernels import kernels, kernels_table
    from perfkit.analysis.step_breakdown import step_breakdown, step_breakdown_table
    from perfkit.analysis.sync_waits import sync_waits
    from perfkit.analysis.trace_steps import trace_steps
    from perfkit.io.trace_ops import device_owners

    work = device_work(events)
    steps = trace_steps(events, work)
    host = host_time(events, work)
    step_breakdown_table(step_breakdown(steps, work, host))
    waits = sync_waits(events, steps, work)
    idle_causes_table(device_idle(events, steps, work, host, waits))
    kernels_table(kernels(events, steps, work, device_owners(events)[1]))


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
    "perfkit diagnosis": perfkit_diagnosis,
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
    found: dict[str, list[_Cost]] = {tool: [] for tool in options.only}
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
    return [_compared(row, rows) for row in rows]


def _compared(row: dict[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The row with its time and memory over those of each of ours."""
    if "seconds" not in row:
        return row
    ratios: dict[str, Any] = {}
    for base in rows:
        if base["tool"] in BASELINES and "seconds" in base:
            for what, key in _COMPARED.items():
                ratios[f"{what}_over_{base['tool']}"] = row[key] / base[key]
    return {**row, **ratios}


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


def _median(runs: Sequence[_Cost]) -> dict[str, float]:
    if not runs:
        return {}
    seconds, cpu, peak = (statistics.median(column) for column in zip(*runs, strict=True))
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak / MB}


def _once(python: str, tool: str, trace: Path) -> _Cost | str:
    """What one whole process took, or why there is nothing to say."""
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
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    return last if child.returncode == MISSING else f"exit code {child.returncode}: {last}"


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="From file to analysed tables, whole processes", title_justify="left")
    for column in ("raw MB", "tool", "s", "CPU s", "MB/s", "peak MB"):
        table.add_column(column, justify="left" if column == "tool" else "right")
    for base in BASELINES:
        table.add_column(f"over {base}:\ntime, CPU, memory", justify="right")
    for row in rows:
        cells = [f"{row['raw_mb']:.0f}", row["tool"]]
        if "seconds" in row:
            cells += [f"{row['seconds']:.2f}", f"{row['cpu_seconds']:.2f}"]
            cells += [f"{row['raw_mb'] / row['seconds']:.0f}", f"{row['peak_mb']:.0f}"]
            cells += [*(_ratios(row, base) for base in BASELINES)]
        else:
            cells.append(f"missing: {row['missing']}")
        table.add_row(*cells)
    Console(width=110).print(table)


def _ratios(row: Mapping[str, Any], base: str) -> str:
    if f"time_over_{base}" not in row:
        return ""
    return " ".join(f"{row[f'{what}_over_{base}']:5.1f}x" for what in _COMPARED)


if __name__ == "__main__":
    raise SystemExit(main())
