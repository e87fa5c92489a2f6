"""What perfkit and its peers say of the same traces, and where their definitions differ.

    python benchmarks/peer_numbers.py CORPUS [--json FILE]

CORPUS holds traces and a folder `oracle/` with what the peers computed on them: `NAME.exact.json` (an
integer reference of all device work), `NAME.hta.json` (traceinsight) and `NAME.tracelens.json`. A
difference is relative to the exact figure. Definitions:

    exact      union of kernels, copies and fills over all streams and devices, no step left out
    perfkit    the same, per device; its report clips it to the steps
    TraceLens  only work linked to an operator unless told otherwise; fills count as compute
    HTA        times rounded inwards to whole us (every short kernel loses about 1 us); device work
               is any event with a stream, so Triton launchers count as kernels; the last profiler
               step is dropped by default
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from perfkit.analysis.step_breakdown import device_sets
from perfkit.analysis.trace_reading import trace_reading
from perfkit.io.chrome import read_trace

FIGURES = ("busy", "idle", "compute", "exposed_comm", "exposed_copies")
_AGREE = 0.005
Row = dict[str, Any]


def main() -> int:
    """Print the table; 1 where perfkit differs from the exact reference by more than 0.5 %."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = [row for trace in _traces(given.corpus) for row in _rows(trace, given.corpus / "oracle")]
    if not rows:
        parser.error(f"{given.corpus} holds no trace with figures in oracle/")
    _print(rows)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return int(any(row["perfkit_off"] and row["perfkit_off"] > _AGREE for row in rows))


def _traces(corpus: Path) -> list[Path]:
    return sorted(path for path in corpus.rglob("*.json.gz") if path.parent.name != "oracle")


def _rows(trace: Path, oracle: Path) -> Iterator[Row]:
    """One row per figure that the exact reference has."""
    name = _name(trace)
    exact = _read(oracle / f"{name}.exact.json")
    if not exact:
        return
    ours = _perfkit(trace)
    truth = {
        "busy": exact["busy_ns"],
        "idle": exact["idle_ns"],
        "compute": exact["compute_union_ns"],
        "exposed_comm": exact["exposed_comm_ns"],
        "exposed_copies": exact["busy_ns"] - exact["compute_union_ns"] - exact["exposed_comm_ns"],
    }
    tracelens, hta = _tracelens(_read(oracle / f"{name}.tracelens.json")), _hta(name, oracle)
    for figure in FIGURES:
        yield {
            "trace": name,
            "figure": figure,
            "exact_ns": truth[figure],
            "perfkit_ns": ours[figure],
            "perfkit_off": _off(ours[figure], truth[figure]),
            "tracelens_ns": tracelens.get(figure),
            "tracelens_off": _off(tracelens.get(figure), truth[figure]),
            "hta_ns": hta.get(figure),
            "hta_off": _off(hta.get(figure), truth[figure]),
        }


def _perfkit(trace: Path) -> dict[str, int]:
    """Over the whole trace, as the reference: from the first device work to the last."""
    work = trace_reading(read_trace(trace)).work
    sets = device_sets(work)
    busy = work.busy.total
    return {
        "busy": busy,
        "idle": int(work.end.max()) - int(work.start.min()) - busy,
        "compute": sets["compute"].total,
        "exposed_comm": sets["exposed_comm"].total,
        "exposed_copies": sets["exposed_copies"].total,
    }


def _tracelens(found: Mapping[str, Any]) -> dict[str, int]:
    line = found.get("gpu_timeline") or {}
    names = {
        "busy": "busy_time",
        "idle": "idle_time",
        "compute": "computation_time",
        "exposed_comm": "exposed_comm_time",
        "exposed_copies": "exposed_memcpy_time",
    }
    return {
        ours: round(line[theirs]["ms"] * 1e6)
        for ours, theirs in names.items()
        if isinstance(line.get(theirs), dict)
    }


def _hta(name: str, oracle: Path) -> dict[str, int]:
    if name.startswith("dlrm_worker"):
        found, rank = _read(oracle / "dlrm_8ranks.hta.json"), int(name.removeprefix("dlrm_worker"))
    else:
        found, rank = _read(oracle / f"{name}.hta.json"), None
    rows = found.get("temporal_breakdown")
    if not isinstance(rows, list) or not rows:
        return {}  # it stopped with an error on this trace
    row = next((row for row in rows if row["rank"] == rank), rows[0])
    whole, idle = row["kernel_time(us)"], row["idle_time(us)"]
    compute = row["compute_time(us)"]
    figures = {"busy": whole - idle, "idle": idle, "compute": compute}
    return {figure: round(us * 1e3) for figure, us in figures.items()}


def _off(value: int | None, exact: int) -> float | None:
    if value is None or not exact:
        return None
    return abs(value - exact) / exact


def _print(rows: list[Row]) -> None:
    print(f"{'trace':<24}{'figure':<16}{'exact':>12}{'perfkit':>20}{'TraceLens':>20}{'HTA':>20}")
    last = ""
    for row in rows:
        cells = [_cell(row[f"{tool}_ns"], row[f"{tool}_off"]) for tool in _TOOLS]
        name = row["trace"] if row["trace"] != last else ""
        last = row["trace"]
        head = f"{name:<24}{row['figure']:<16}{row['exact_ns'] / 1e6:>9.3f} ms"
        print(head + "".join(f"{cell:>20}" for cell in cells))
    worst = max(row["perfkit_off"] or 0.0 for row in rows)
    print(f"\nlargest difference of perfkit from the exact reference: {worst:.4%}")
    print((__doc__ or "").partition("Definitions:")[2].rstrip())


_TOOLS = ("perfkit", "tracelens", "hta")


def _cell(value: int | None, off: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1e6:.3f}" + ("" if off is None else f" ({off:+.2%})".replace("+", "")) + " "


def _name(trace: Path) -> str:
    name = trace.name.split(".json")[0]
    return f"dlrm_{name.split('_')[0]}" if name.startswith("worker") else name


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
