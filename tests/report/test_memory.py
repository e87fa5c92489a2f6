"""The section on memory: silent without allocations; the curve and the peak with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.io.chrome import read_trace
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run
from perfkit.report import html
from perfkit.report.blocks import Block, Figure, Grid
from perfkit.report.sections.memory import section
from perfkit.rules import _engine, diagnose
from tests.kineto_traces import HOST, document, gpu_events, write

HOSTILE = "</script><img src=x>"
MIB = 1 << 20


def change(ts: float, nbytes: int, total: int | None) -> dict[str, Any]:
    args = {"Bytes": nbytes, "Device Type": 1, "Device Id": 0}
    args |= {} if total is None else {"Total Allocated": total, "Total Reserved": 8 * MIB}
    about = {"ph": "i", "cat": "cpu_instant_event", "s": "t", "name": "[memory]", "args": args}
    return {**about, "pid": HOST, "tid": HOST, "ts": ts}


def diagnosed(tmp_path: Path, *changes: dict[str, Any]) -> Diagnosis:
    events = read_trace(write(tmp_path / "t.json", document([*gpu_events(), *changes])))
    return diagnose(trace_run(events, "drawn"), _engine.outcome)


def block(diagnosis: Diagnosis) -> Block:
    found = section(diagnosis)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["a run without a trace", "a trace without allocations"])
def test_without_allocations_it_says_nothing(name: str, tmp_path: Path) -> None:
    nothing = "run" in name
    assert section(diagnose(Run("r"), _engine.outcome) if nothing else diagnosed(tmp_path)) is None


def test_the_curve_the_peak_and_what_ran_then(tmp_path: Path) -> None:
    found = block(
        diagnosed(
            tmp_path,
            change(1110, MIB, MIB),
            change(1130, 3 * MIB, 4 * MIB),
            change(1700, -3 * MIB, MIB),
        )
    )
    figure, grid = found.parts
    assert isinstance(figure, Figure) and isinstance(grid, Grid)
    assert figure.summary == "device 0: 4 MiB at most, in aten::addmm"
    curve, peak = figure.spec["data"]
    assert (curve["y"], curve["line"]["shape"]) == ([MIB, 4 * MIB, MIB], "hv")
    assert (peak["x"], peak["y"]) == ([pytest.approx(0.23)], [4 * MIB])
    assert figure.spec["layout"]["yaxis"]["ticktext"] == [
        "0 B",
        "1 MiB",
        "2 MiB",
        "3 MiB",
        "4 MiB",
        "5 MiB",
    ]
    texts = [cell.text for cell in grid.rows[0]]
    assert texts == ["device 0", "4 MiB", "8 MiB", "230 µs", "aten::addmm", "–", "2"]
    assert "reserves more" in found.lead


def test_a_curve_without_totals_says_where_it_starts(tmp_path: Path) -> None:
    found = block(diagnosed(tmp_path, change(1110, 5 * MIB, None), change(1200, -9 * MIB, None)))
    assert "starts at zero with the recording" in found.lead
    figure, grid = found.parts
    assert isinstance(figure, Figure) and isinstance(grid, Grid)
    assert min(figure.spec["layout"]["yaxis"]["tickvals"]) <= -4 * MIB
    assert grid.rows[0][1].detail == "above the start"


def test_names_never_become_markup(tmp_path: Path) -> None:
    diagnosis = diagnosed(tmp_path, change(1110, MIB, MIB))
    table = diagnosis.tables["device_memory"]
    bad = replace(table, rows=tuple((HOSTILE, *row[1:5], HOSTILE, *row[6:]) for row in table.rows))
    page = html.render(replace(diagnosis, tables={**diagnosis.tables, "device_memory": bad}))
    assert "<img" not in page
