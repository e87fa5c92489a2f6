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


def test_the_breakdown_of_a_step_adds_up(tmp_path: Path) -> None:
    events = read_trace(write(tmp_path / "t.json", document(gpu_events())))
    found = trace_load._breakdown(events)
    first = found["steps"][0]
    assert first["busy"] + first["idle"] == 1_000_000
    assert first["busy"] == first["compute"] + first["copies"] == 342_750
    assert found["kernels"][0] == ("gemm", 2, 601_000)


def test_it_measures_and_says_what_is_missing(tmp_path: Path) -> None:
    trace = write(tmp_path / "t.json", document(gpu_events()))
    command = [sys.executable, BENCHMARKS / "trace_load.py", trace, "--sizes", "0.01"]
    command += ["--rounds", "1", "--only", "perfkit", "tracelens tree"]
    command += ["--json", tmp_path / "rows.json"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    rows = json.loads((tmp_path / "rows.json").read_text())
    mine, peer = rows
    assert mine["time_ratio"] == mine["memory_ratio"] == 1
    assert mine["seconds"] > 0 < mine["peak_mb"]
    assert ("seconds" in peer) != ("missing" in peer)
