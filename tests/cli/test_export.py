"""`perfkit export`: what it writes, and errors a person can act on."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from perfkit.base.errors import PerfkitError
from perfkit.cli._overlay import overlay
from perfkit.cli.export import command
from perfkit.exports.perfetto import problems
from perfkit.io.chrome import read_trace
from perfkit.io.rundir import load, load_diagnosis, save
from perfkit.model.run import Run
from tests.kineto_traces import document, gpu_events, needs_corpus, span, write
from tests.sample_runs import ctr_run
from tests.timelines import Simulator, as_events


def call(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    frame = span("python_function", "/home/ada/zqx/train.py(3): fit", 1000, 900)
    events = [*gpu_events(), frame]
    return write(tmp_path / "in" / "w.json.gz", document(events, host_name="zqxhost"))


@pytest.fixture
def run(tmp_path: Path, trace: Path) -> Path:
    """A run directory with a trace, as a capture leaves it."""
    folder = tmp_path / "run"
    save(replace(ctr_run(), trace="w.pt.trace.json.gz"), folder)
    (folder / "w.pt.trace.json.gz").write_bytes(trace.read_bytes())
    return folder


def test_nothing_to_write_is_a_usage_error(trace: Path) -> None:
    assert call(trace).exit_code == 2


def test_what_can_be_written_is_listed() -> None:
    result = call("--list")
    assert result.exit_code == 0
    options = {line.split()[0] for line in result.stdout.splitlines()}
    known = {name for p in command.params for name in p.opts if name.startswith("--")}
    assert options == known - {"--redact", "--list"}


def test_a_run_without_a_trace_has_flame_graphs_of_its_waits(tmp_path: Path) -> None:
    save(ctr_run(), tmp_path / "run")
    assert call(tmp_path / "run", "--speedscope", tmp_path / "x.json").exit_code == 0
    profiles = json.loads((tmp_path / "x.json").read_bytes())["profiles"]
    assert [profile["type"] for profile in profiles] == ["sampled"]


def test_neither_trace_nor_waits_is_told(tmp_path: Path) -> None:
    save(Run("empty"), tmp_path / "run")
    with pytest.raises(PerfkitError, match="neither a trace nor sync points"):
        call(tmp_path / "run", "--speedscope", tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()


def test_flame_graphs_of_a_trace_hold_its_threads_and_streams(trace: Path, tmp_path: Path) -> None:
    assert call(trace, "--speedscope", tmp_path / "x.json").exit_code == 0
    profiles = json.loads((tmp_path / "x.json").read_bytes())["profiles"]
    assert {profile["type"] for profile in profiles} == {"sampled", "evented"}


def test_findings_become_sarif(run: Path, tmp_path: Path) -> None:
    assert call(run, "--sarif", tmp_path / "x.sarif").exit_code == 0
    assert json.loads((tmp_path / "x.sarif").read_bytes())["runs"][0]["results"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_source_without_a_trace_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PerfkitError) as caught:
        call(tmp_path / name, "--perfetto", tmp_path / "x.json")
    assert caught.value.hint


def test_a_file_that_is_no_trace_leaves_nothing_behind(tmp_path: Path) -> None:
    source = write(tmp_path / "a.json", b"hello")
    with pytest.raises(PerfkitError, match="not a trace"):
        call(source, "--perfetto", tmp_path / "x.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_run_without_a_trace_can_still_be_exported_as_tables(tmp_path: Path) -> None:
    save(ctr_run(), tmp_path / "run")
    assert call(tmp_path / "run", "--csv", tmp_path / "csv").exit_code == 0
    with pytest.raises(PerfkitError, match="has no trace"):
        call(tmp_path / "run", "--perfetto", tmp_path / "x.json")


def test_a_folder_is_no_file_to_write_to(trace: Path, tmp_path: Path) -> None:
    with pytest.raises(PerfkitError, match="is a folder"):
        call(trace, "--perfetto", tmp_path)


def test_perfetto_gets_the_trace_and_the_tracks(trace: Path, tmp_path: Path) -> None:
    assert call(trace, "--perfetto", tmp_path / "x.json.gz").exit_code == 0
    events = json.loads(gzip.decompress((tmp_path / "x.json.gz").read_bytes()))["traceEvents"]
    assert problems(events) == []
    names = {e["args"].get("name") for e in events if e["ph"] == "M"}
    assert {"perfkit", "steps", "idle causes of device 0", "sync waits", "critical path"} <= names
    added = [e for e in events if e.get("cat") == "perfkit"]
    assert {e["name"] for e in added} >= {"step 0", "step 1", "aten::item"}
    idle = [e for e in added if e["name"].startswith("idle: ")]
    assert idle and all(
        sum(e["args"].values()) == pytest.approx(e["dur"] * 1000, abs=1) for e in idle
    )
    queue = [e["args"]["value"] for e in events if e["ph"] == "C"]
    assert max(queue) >= 1 and queue[-1] == 0


def test_tables_of_a_trace_are_written(trace: Path, tmp_path: Path) -> None:
    assert call(trace, "--csv", tmp_path / "csv").exit_code == 0
    with (tmp_path / "csv" / "sync_waits.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["op"] for row in rows} == {"aten::item"}
    assert sum(int(row["calls"]) for row in rows) == 2


def test_the_tensorboard_copy_is_written(trace: Path, tmp_path: Path) -> None:
    assert call(trace, "--tb-compat", tmp_path / "tb.json.gz").exit_code == 0
    assert len(read_trace(tmp_path / "tb.json.gz")) == len(read_trace(trace))


def test_everything_redacted_carries_nothing_private(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--perfetto", out / "p.json", "--tb-compat", out / "t.json.gz", "--csv", out / "csv"]
    options += ["--speedscope", out / "s.json", "--sarif", out / "f.sarif"]
    assert call(run, *options, "--copy", out / "run", "--redact").exit_code == 0
    for file in out.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            for private in (b"zqx", b"/home", b"ads-ranking", b"SMoE"):
                assert private not in text, (file, private)


def test_a_redacted_run_opens_and_says_the_same(run: Path, tmp_path: Path) -> None:
    assert call(run, "--copy", tmp_path / "shared", "--redact").exit_code == 0
    shared = load(tmp_path / "shared")
    assert shared.trace is not None and len(read_trace(tmp_path / "shared" / shared.trace)) > 0
    diagnosis = load_diagnosis(tmp_path / "shared")
    assert "host-device synchronisations" in diagnosis.verdict.what
    assert [len(sync.stack) for sync in shared.syncs] == [len(s.stack) for s in load(run).syncs]


def test_a_plain_copy_is_the_same_run(run: Path, tmp_path: Path) -> None:
    assert call(run, "--copy", tmp_path / "again").exit_code == 0
    again = load(tmp_path / "again")
    assert (again.steps, again.syncs, again.trace) == (
        load(run).steps,
        load(run).syncs,
        "w.pt.trace.json.gz",
    )
    with pytest.raises(PerfkitError, match="exists already"):
        call(run, "--copy", tmp_path / "again")


def test_a_redacted_copy_of_a_trace_is_a_trace(trace: Path, tmp_path: Path) -> None:
    assert call(trace, "--copy", tmp_path / "shared.json", "--redact").exit_code == 0
    text = (tmp_path / "shared.json").read_bytes()
    assert b"zqx" not in text and b"user_1.py(3): name_1" in text


@needs_corpus("h100_qwen1.5_0.5b", "v100_nccl_ns", "sglang_decode_graph", "cpu_only")
def test_real_traces_are_exported(trace: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    assert call(trace, "--perfetto", target, "--csv", tmp_path / "csv").exit_code == 0
    assert problems(json.loads(target.read_bytes())["traceEvents"]) == []


def test_the_path_of_a_long_trace_is_drawn_of_its_typical_steps_and_says_so() -> None:
    machine = Simulator()
    for _ in range(2):
        begin = machine.now
        for _ in range(3_000):
            machine.kernel(1, 2)
        machine.wait()
        machine.step(begin)
    tracks, _ = overlay(as_events(machine.rows))
    (path,) = [track for track in tracks if track.name.startswith("critical path")]
    assert path.name == "critical path of 1 of 2 steps"
    assert {"gemm", "delay: sync"} <= {drawn.name for drawn in path.slices}
