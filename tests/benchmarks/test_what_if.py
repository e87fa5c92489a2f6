"""The pair benchmark, on simulated pairs: its arithmetic, never a claim about a device."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import what_if as benchmark
from perfkit.analysis.what_if_names import EDITS, PACED
from perfkit.base.errors import PerfkitError
from tests.kineto_traces import document, write
from tests.timelines import Command, as_trace, simulate

RECORDED = Path(__file__).resolve().parents[2] / "profiles" / "what-if-pairs"
PROGRAM: list[Command] = [
    ("op", 12, 0),
    ("kernel", 4, 80),
    ("read", 0, 0),
    ("python", 60, 0),
    ("kernel", 4, 40),
]
NO_READS = {"device": "simulated", "edits": [{"edit": "without_waits", "names": ["aten::item"]}]}


def simulated_pair(folder: Path, name: str, about: object = NO_READS) -> None:
    for suffix, waits in ((benchmark.BEFORE, True), (benchmark.AFTER, False)):
        write(folder / (name + suffix), document(as_trace(simulate(PROGRAM * 3, waits).rows)))
    (folder / (name + benchmark.EDIT)).write_text(json.dumps(about), encoding="utf-8")


@pytest.mark.parametrize("lacking", [benchmark.AFTER, benchmark.EDIT])
def test_half_a_pair_is_refused(tmp_path: Path, lacking: str) -> None:
    simulated_pair(tmp_path, "simulated_read")
    (tmp_path / f"simulated_read{lacking}").unlink()
    with pytest.raises(PerfkitError, match="missing"):
        benchmark.pairs(tmp_path)


def test_a_directory_without_pairs_is_a_users_mistake(tmp_path: Path, capsys) -> None:
    assert benchmark.main([str(tmp_path)]) == 2
    assert "need a GPU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"edit": "without_waits", "names": ["aten::nothing"]}, "is named"),
        ({"edit": "slower", "names": ["gemm"]}, "no such edit"),
    ],
)
def test_an_edit_that_means_nothing_is_refused(tmp_path: Path, edit: object, message: str) -> None:
    simulated_pair(tmp_path, "simulated_read", {"edits": [edit]})
    with pytest.raises(PerfkitError, match=message):
        benchmark.predict(tmp_path, "simulated_read")


def test_a_trace_without_a_device_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json.gz", document(as_trace(simulate([("op", 5, 0)]).rows)))
    with pytest.raises(PerfkitError, match="launched"):
        benchmark.graph_of(path)


def test_a_simulated_pair_is_predicted_to_the_nanosecond(tmp_path: Path) -> None:
    simulated_pair(tmp_path, "simulated_read")
    row = benchmark.predict(tmp_path, "simulated_read")
    assert row.device == "simulated"
    assert row.before_ns == simulate(PROGRAM * 3).span * 1000
    assert row.after_ns == simulate(PROGRAM * 3, waits=False).span * 1000
    assert (row.error, row.within) == (0, True)


@pytest.mark.parametrize("edit", [*EDITS, *PACED])
def test_every_kind_of_edit_can_be_described(tmp_path: Path, edit: str) -> None:
    about = {"edits": [{"edit": edit, "names": ["aten::*", "ge?m", "cuda*"], "times": 2}]}
    simulated_pair(tmp_path, "simulated_read", about)
    row = benchmark.predict(tmp_path, "simulated_read")
    assert row.low_ns <= row.likely_ns <= row.high_ns <= row.before_ns
    assert row.low_ns < row.before_ns


def test_the_table_says_simulated_and_the_json_has_the_same_rows(tmp_path: Path, capsys) -> None:
    simulated_pair(tmp_path, "simulated_read")
    out = tmp_path / "rows.json"
    assert benchmark.main([str(tmp_path), "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "simulated: median |error| 0.0%, largest 0.0%, 1 of 1 within range" in printed
    assert "GPU:" not in printed
    (row,) = json.loads(out.read_text(encoding="utf-8"))
    assert row["name"] == "simulated_read"
    assert row["within"] is True


def test_a_device_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    simulated_pair(tmp_path, "odd", {**NO_READS, "device": "abacus"})
    with pytest.raises(PerfkitError, match="abacus"):
        benchmark.predict(tmp_path, "odd")


def test_a_pair_outside_its_range_may_still_be_within_what_runs_differ_by() -> None:
    row = benchmark.Row("a", "GPU", 1_000, 505, 500, 500, 501, 0.0)
    assert (row.within, row.within_resolution) == (False, False)
    assert replace(row, resolution=0.0).within_resolution  # runs need only agree to 1 %
    assert not replace(row, resolution=0.0, after_ns=512).within_resolution
    assert replace(row, resolution=0.02, after_ns=512).within_resolution


def test_the_fastest_of_several_runs_counts_and_the_third_says_how_sure_that_is() -> None:
    runs = benchmark.Fastest()
    for span in (130, 100, 101, 180, 104):
        runs.take(span, [{"span": span}])
    assert runs.events == [{"span": 100}]
    assert runs.resolution == pytest.approx(0.04)
    assert runs.disturbance == pytest.approx(0.04)
    assert not runs.agrees()


@pytest.mark.parametrize("name", benchmark.pairs(RECORDED))
def test_the_recorded_pairs_have_the_error_that_is_published(name: str) -> None:
    about = (RECORDED / "README.md").read_text(encoding="utf-8")
    row = benchmark.predict(RECORDED, name)
    cells = benchmark.cells(row)
    assert row.device == "software device"
    assert f"| `{name}` | {' | '.join(cells[1:5])} |" in about
    assert abs(row.error) < 0.06
    assert row.within_resolution
