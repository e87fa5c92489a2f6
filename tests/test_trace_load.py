"""The load benchmark: what it inflates, and that it runs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfkit.io.chrome import read_trace
from tests.kineto_traces import document, gpu_events, write

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
inflating: Any = importlib.import_module("_inflate")
trace_load: Any = importlib.import_module("trace_load")


@pytest.mark.parametrize("name", ["big.json", "big.json.gz"])
def test_an_inflated_trace_repeats_everything_later(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "t.json.gz", document(gpu_events()))
    original = read_trace(source)
    events = read_trace(inflating.inflate(source, 0.1, tmp_path / name))
    events.self_check()
    assert events.gaps == ()
    copies, rest = divmod(len(events), len(original))
    assert (copies > 1, rest) == (True, 0)
    assert sorted(step.number for step in events.steps()) == list(range(2 * copies))
    kinds = Counter(map(original.category_of, range(len(original))))
    assert Counter(map(events.category_of, range(len(events)))) == {
        kind: count * copies for kind, count in kinds.items()
    }
    launched = events.correlation[events.of(("kernel", "gpu_memcpy"))]
    assert len(np.unique(launched)) == len(launched)
    span = original.end.max() - original.start.min()
    assert events.end.max() - events.start.min() > (copies - 1) * span


def test_it_measures_and_says_what_is_missing(tmp_path: Path) -> None:
    trace = write(tmp_path / "t.json", document(gpu_events()))
    command = [sys.executable, BENCHMARKS / "trace_load.py", trace, "--sizes", "0.01"]
    command += ["--rounds", "1", "--only", "perfkit", "perfkit diagnosis", "tracelens tree"]
    command += ["--json", tmp_path / "rows.json"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    rows = json.loads((tmp_path / "rows.json").read_text())
    mine, whole, peer = rows
    for row in (mine, whole):
        assert [row[f"{what}_over_{row['tool']}"] for what in ("time", "cpu", "memory")] == [
            1,
            1,
            1,
        ]
        assert min(row["seconds"], row["cpu_seconds"], row["peak_mb"]) > 0
    assert whole["time_over_perfkit"] == whole["seconds"] / mine["seconds"]
    assert ("seconds" in peer) != ("missing" in peer)
